import { existsSync } from 'node:fs';
import { join, relative } from 'node:path';
import { databaseHolderOf } from '../dev/demo/database-holder';
import { messageOf } from '../dev/machine/error-code';
import { sourcePath } from '../dev/machine/paths';
import { untilToldToStop } from '../dev/machine/stop-signals';
import { removeDataDir, temporaryDataDir } from '../dev/machine/temporary-data';
import { NO_LIMITS, openDatabases, ownSettings } from '../dev/stack/own-platform';
import { startPlatform } from '../dev/stack/platform';
import { connectClient, historyFile, recordHistory } from './record-history';
import { isSlow } from './recording-cast';
import { SCENARIOS } from './recording-scenarios';
import { createStage } from './recording-stage';

/**
 * Plays every scenario whose history is not stored yet on a platform of its own, in a folder that is thrown away, and stores the histories.
 * With arguments only the named ones (`booking/confirmed`) or sagas (`refund`); stories that wait for real time must be named. What is
 * stored is never written over: where a story takes another path today, its name gets the next version.
 */
async function main(wanted: string[]): Promise<void> {
  const folder = sourcePath('workflows/histories');
  const stories = Object.entries(SCENARIOS)
    .flatMap(([saga, named]) => Object.entries(named).map(([name, play]) => ({ saga, name, play })))
    .filter(({ saga, name, play }) =>
      isSlow(play)
        ? wanted.includes(`${saga}/${name}`)
        : wanted.length === 0 || wanted.includes(saga) || wanted.includes(`${saga}/${name}`),
    );
  if (stories.length === 0) throw new Error(`There is no scenario ${wanted.join(', ')}`);
  const untold = stories.filter(({ saga, name }) => !existsSync(join(folder, historyFile(saga, name))));
  if (untold.length === 0) {
    console.log('All of that is recorded. To record a story anew, give it its next version (.v2)');
    return;
  }
  const told = untilToldToStop();
  const dataDir = temporaryDataDir();
  try {
    const platform = await startPlatform({
      settings: {
        ...(await ownSettings()),
        ...NO_LIMITS,
        // What a story has earned it can be paid out at once.
        EARNINGS_HOLD_DAYS: '0',
        DATA_DIR: dataDir,
      },
      // Stories take single services away.
      isolated: true,
      envFile: join(dataDir, 'no-env-file'),
      say: (line) => console.log(line),
      signal: told.signal,
    });
    try {
      const { TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE } = platform.config;
      const client = await connectClient(TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE);
      const { gateway, stripeSandbox, mailInbox } = platform.urls;
      const databases = openDatabases(platform);
      const holder = databaseHolderOf(platform.config);
      if (!holder) throw new Error('An administrator is made in a Postgres of its own, and a setting names another');
      const { makeAdmin } = holder;
      const own = { mailInbox: String(mailInbox), database: databases.database, makeAdmin };
      const stage = createStage(gateway, String(stripeSandbox), client, platform, own);
      const record = async ({ saga, name, play }: (typeof untold)[number]) => {
        if (told.signal.aborted) throw new Error('Told to stop');
        const workflowId = await play(stage).catch((error: unknown) => {
          throw new Error(`${saga}/${name}: ${messageOf(error)}`, { cause: error });
        });
        const file = await recordHistory(client, workflowId, name, folder);
        console.log(relative(sourcePath('.'), file));
      };
      const waiting = Promise.all(untold.filter(({ play }) => isSlow(play)).map(record));
      waiting.catch(() => undefined); // awaited below, after the others
      for (const story of untold) if (!isSlow(story.play)) await record(story);
      await waiting;
      await databases.close();
      await client.connection.close();
    } finally {
      await platform.stop();
    }
  } finally {
    removeDataDir(dataDir);
  }
}

if (require.main === module) {
  main(process.argv.slice(2)).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(messageOf(error));
      process.exit(1);
    },
  );
}
