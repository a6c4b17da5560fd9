import type { Sql } from 'postgres';
import type { Stack } from '../stack';

/** Milliseconds since 1970 at which the transactions that wrote rows were committed, by the rows' ids. */
export type CommitTimes = ReadonlyMap<string, number>;

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

/** Milliseconds from each commit to the other of the same id; what came to nothing is left out. */
export function delays(from: CommitTimes, to: CommitTimes): number[] {
  return [...from].flatMap(([id, at]) => {
    const then = to.get(id);
    return then === undefined ? [] : [then - at];
  });
}

/** How many were committed a second, from the first to the last. */
export function perSecond(times: CommitTimes): number {
  const sorted = [...times.values()].sort((a, b) => a - b);
  const [first, last] = [sorted.at(0), sorted.at(-1)];
  if (first === undefined || last === undefined || first === last) return 0;
  return ((sorted.length - 1) * 1_000) / (last - first);
}
