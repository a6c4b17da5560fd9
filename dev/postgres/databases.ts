import postgres from 'postgres';
import { ensureDatabase, migrateContext } from '../../db/migrate';
import { contextUrl } from '../../db/roles';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import { errorCode, messageOf } from '../machine/error-code';

/**
 * Makes what is missing of every context's database and role on `serverUrl` and applies the migrations that are missing.
 * A context whose database was given by a setting is only migrated.
 * @returns the settings that give each context its connection string
 * @throws Error for a person to read, naming the context
 */
export async function prepareDatabases(options: {
  /** The databases that settings give. */
  databaseUrl: Partial<Record<DatabaseContext, string | undefined>>;
  serverUrl: string | undefined;
  /** Whether the server is the embedded one, on which nobody else's databases can be. */
  embedded: boolean;
  roleSecret: string;
  contexts?: readonly DatabaseContext[];
  say: (line: string) => void;
}): Promise<Record<string, string>> {
  const { databaseUrl, serverUrl, roleSecret, say } = options;
  if (serverUrl && options.embedded) await closeToStrangers(serverUrl);
  const settings: Record<string, string> = {};
  const prepareOne = async (context: DatabaseContext) => {
    const late = setTimeout(() => say(`Migrating the database of ${context}`), 2_000);
    try {
      const given = databaseUrl[context];
      if (!given && serverUrl) await ensureDatabase(serverUrl, context, roleSecret);
      const url = given ?? (serverUrl && contextUrl(serverUrl, context, roleSecret));
      if (!url) throw new Error(`set ${context.toUpperCase()}_DATABASE_URL, or DATABASE_URL`);
      await migrateContext(url, context);
      settings[`${context.toUpperCase()}_DATABASE_URL`] = url;
    } catch (error) {
      throw new Error(`The database of ${context} could not be prepared: ${describe(error)}`, { cause: error });
    } finally {
      clearTimeout(late);
    }
  };
  const waiting = [...(options.contexts ?? DATABASE_CONTEXTS)];
  const prepareAll = async () => {
    for (let context = waiting.shift(); context; context = waiting.shift()) await prepareOne(context);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, prepareAll));
  return settings;
}

/** So many databases are prepared beside each other: whoever waits for a start waits for them. */
const AT_ONCE = 4;

/** Takes from every role the right to open these two databases: the role of a context opens its own and no other. */
async function closeToStrangers(serverUrl: string): Promise<void> {
  const sql = postgres(serverUrl, { max: 1, onnotice: () => undefined, connect_timeout: 5 });
  try {
    await sql`revoke connect on database postgres, template1 from public`;
  } finally {
    await sql.end({ timeout: 5 });
  }
}

function describe(error: unknown): string {
  const code = errorCode(error);
  if (code === 'ECONNREFUSED') return 'the server does not answer';
  if (code === '28P01') return 'the server refuses the password';
  // drizzle says which query failed, its cause why.
  const reason = error instanceof Error && error.cause ? ` (${messageOf(error.cause)})` : '';
  return `${messageOf(error)}${reason}`;
}
