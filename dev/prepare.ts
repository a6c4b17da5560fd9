import { DATABASE_CONTEXTS } from '../kernel/modules';
import { loadConfig } from '../platform/config';
import { messageOf } from './machine/error-code';
import { prepareDatabases } from './postgres/databases';

/**
 * `node prepare.js` makes the databases in a process that ends, so that the drivers do not stay in the supervisor's
 * memory. It reads the settings and PREPARE_DATABASE_SERVER, the connection string of a superuser, which no service
 * is given. It prints its progress. Its last line is `settings` and the settings it found out, as JSON.
 */
async function main(): Promise<void> {
  const config = loadConfig();
  const say = (line: string) => console.log(line);
  const settings = await prepareDatabases({
    databaseUrl: { ...config.databaseUrl, bus: config.busUrl.bus },
    busUrl: config.busUrl,
    serverUrl: process.env.PREPARE_DATABASE_SERVER || undefined,
    embedded: process.env.PREPARE_EMBEDDED === 'true',
    owners: ['bus', ...DATABASE_CONTEXTS.filter((context) => config.contexts.has(context))],
    roleSecret: config.DATABASE_ROLE_SECRET ?? '',
    say,
  });
  say(`settings ${JSON.stringify(settings)}`);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(messageOf(error));
    process.exit(1);
  },
);
