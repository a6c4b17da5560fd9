import postgres from 'postgres';
import { ensureDatabase, migrateDatabase } from '../../db/migrate';
import { BUS_ROLES, type BusRole, busUrl, type DatabaseOwner, ownerUrl } from '../../db/roles';
import { DATABASE_CONTEXTS } from '../../kernel/modules';
import { errorCode, messageOf } from '../machine/error-code';

/**
 * Makes what is missing of the databases and roles of every context and of the event bus on `serverUrl` and applies the migrations that are
 * missing. A database that a setting gives is only migrated.
 * @returns the settings that give each role its connection string
 * @throws Error for a person to read, naming the context
 */
export async function prepareDatabases(options: {
  /** The databases that settings give. */
  databaseUrl: Partial<Record<DatabaseOwner, string | undefined>>;
  /** The event bus, as settings give it to its roles. */
  busUrl: Partial<Record<BusRole, string | undefined>>;
  serverUrl: string | undefined;
  /** Whether the server is the embedded one, on which nobody else's databases can be. */
  embedded: boolean;
  roleSecret: string;
  owners?: readonly DatabaseOwner[];
  say: (line: string) => void;
}): Promise<Record<string, string>> {
  const { databaseUrl, serverUrl, roleSecret, say } = options;
  if (serverUrl && options.embedded) await closeToStrangers(serverUrl);
  const settings: Record<string, string> = {};
  const prepareOne = async (owner: DatabaseOwner) => {
    const late = setTimeout(() => say(`Migrating the database of ${owner}`), 2_000);
    try {
      const given = databaseUrl[owner];
      if (!given && serverUrl) await ensureDatabase(serverUrl, owner, roleSecret);
      const url = given ?? (serverUrl && ownerUrl(serverUrl, owner, roleSecret));
      if (!url) throw new Error(`set ${owner.toUpperCase()}_DATABASE_URL, or DATABASE_URL`);
      await migrateDatabase(url, owner);
      // What owns the bus is for migrating it: no service is given it.
      Object.assign(settings, owner === 'bus' ? busSettings() : { [`${owner.toUpperCase()}_DATABASE_URL`]: url });
    } catch (error) {
      throw new Error(`The database of ${owner} could not be prepared: ${describe(error)}`, { cause: error });
    } finally {
      clearTimeout(late);
    }
  };
  const busSettings = () => {
    const settingOf = (role: BusRole): [string, string] => {
      const url = options.busUrl[role] ?? (serverUrl && busUrl(serverUrl, role, roleSecret));
      const setting = `${role.toUpperCase()}_DATABASE_URL`;
      if (!url) throw new Error(`set ${setting}, or DATABASE_URL`);
      return [setting, url];
    };
    return Object.fromEntries(BUS_ROLES.map(settingOf));
  };
  const waiting: DatabaseOwner[] = [...(options.owners ?? ALL_OWNERS)];
  const prepareAll = async () => {
    for (let owner = waiting.shift(); owner; owner = waiting.shift()) await prepareOne(owner);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, prepareAll));
  return settings;
}

const ALL_OWNERS: readonly DatabaseOwner[] = ['bus', ...DATABASE_CONTEXTS];

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
