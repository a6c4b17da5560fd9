import type { Sql } from 'postgres';
import type { Stack } from '../stack';
import type { CommitTimes } from './delays';

/** Has Postgres note when each transaction is committed, by one clock for all its databases. It is started anew for that, and so are the services. */
export async function noteCommits({ platform, asSuperuser }: Stack): Promise<void> {
  await platform.halt('services');
  await asSuperuser('postgres', (sql) => sql`alter system set track_commit_timestamp = on`);
  await platform.halt('postgres');
  await platform.resume('postgres');
  await platform.resume('services');
}

/** When the rows of these people, as they are now, were committed. `table` has one for each user id; rows that are not there are left out. */
export async function commitTimes(sql: Sql, table: string, userIds: readonly string[]): Promise<CommitTimes> {
  const rows = await sql<{ id: string; at: number }[]>`
    select user_id as id, (extract(epoch from pg_xact_commit_timestamp(xmin)) * 1000)::float8 as at
    from ${sql(table)} where user_id = any(${[...userIds]}::uuid[])`;
  return new Map(rows.map(({ id, at }) => [id, at]));
}
