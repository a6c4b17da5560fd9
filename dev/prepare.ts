import { loadConfig } from '../platform/config';
import { prepareDatabases } from './databases';
import { messageOf } from './error-code';
import { prepareNamespace } from './temporal-namespace';

/**
 * `node prepare.js databases|temporal`: a step of the start in a process that ends, so that the drivers it needs do not stay
 * in the supervisor's memory. Reads the settings, and PREPARE_DATABASE_SERVER, the connection string of a superuser, which no
 * service is given. Prints its progress and last `settings` and what it found out, as JSON.
 */
async function main(what: string | undefined): Promise<void> {
  const config = loadConfig(process.env, 'no-file-the-environment-holds-all');
  const say = (line: string) => console.log(line);
  if (what === 'temporal') return prepareNamespace(config, say);
  if (what !== 'databases') throw new Error('usage: prepare databases|temporal');
  const settings = await prepareDatabases({
    databaseUrl: config.databaseUrl,
    serverUrl: process.env.PREPARE_DATABASE_SERVER || undefined,
    embedded: process.env.PREPARE_EMBEDDED === 'true',
    roleSecret: config.DATABASE_ROLE_SECRET ?? '',
    say,
  });
  say(`settings ${JSON.stringify(settings)}`);
}

main(process.argv[2]).then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(messageOf(error));
    process.exit(1);
  },
);
