import Table from 'cli-table3';
import pc from 'picocolors';
import { messageOf } from './machine/error-code';
import { untilToldToStop } from './machine/stop-signals';
import { type RunningPlatform, startPlatform } from './stack/platform';
import { SERVICE_NAMES, WORKER_NAMES } from './stack/process-plan';

const USAGE = `npm start                       everything
npm start -- booking payment    only these services, with the workers of their sagas and what they rest on
npm start -- --isolated         each service and worker in a process of its own

Names: ${[...SERVICE_NAMES, ...WORKER_NAMES].join(', ')}
What .env.example lists can be set in .env or the environment: a Postgres, Temporal, Stripe or mail server named there is
used, and the others are started here.`;

async function main(args: string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return console.log(USAGE);
  const flags = args.filter((arg) => arg.startsWith('-') && arg !== '--isolated');
  if (flags.length > 0) throw new Error(`There is no option ${flags.join(', ')}\n\n${USAGE}`);
  const told = untilToldToStop();
  const platform = await startPlatform({
    names: args.filter((arg) => !arg.startsWith('-')),
    isolated: args.includes('--isolated'),
    say: (line) => console.log(pc.dim(line)),
    signal: told.signal,
  });
  console.log(overview(platform));
  await told.first;
  console.log(pc.dim('Stopping (once more to force it)'));
  const stopped = platform.stop();
  void told.second.then(async () => {
    await platform.killAll();
    process.exit(130);
  });
  await stopped;
  console.log(pc.dim('Stopped'));
}

const WITHOUT_LINES_BETWEEN_ROWS = { mid: '', 'left-mid': '', 'mid-mid': '', 'right-mid': '' };

/** Where everything is, in one table. */
function overview({ urls, management, tookMs, config }: RunningPlatform): string {
  const table = new Table({ style: { head: [], border: [] }, chars: WITHOUT_LINES_BETWEEN_ROWS });
  const rows: [string, string | undefined][] = [
    ['API (gateway)', urls.gateway],
    ['API reference', urls.docs],
    ['Temporal Web UI', `${urls.temporalUi}/namespaces/${config.TEMPORAL_NAMESPACE}/workflows`],
    ['Mail inbox', urls.mailInbox],
    ['Stripe sandbox', urls.stripeSandbox && `${urls.stripeSandbox}/sandbox/state`],
    ...Object.entries(management).map(([name, url]): [string, string] => [`Metrics of ${name}`, `${url}/metrics`]),
  ];
  for (const [what, url] of rows) if (url) table.push([what, pc.cyan(url)]);
  const took = (tookMs / 1_000).toFixed(1);
  return `${table}\n${pc.green(`Ready after ${took} s.`)} Logs are in ${config.DATA_DIR}/logs. Ctrl-C stops everything.`;
}

if (require.main === module) {
  main(process.argv.slice(2)).then(
    () => process.exit(),
    (error: unknown) => {
      console.error(pc.red(messageOf(error)));
      process.exit(1);
    },
  );
}
