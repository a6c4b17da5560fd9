import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from 'postgres';

const LOOK_EVERY_MS = 1_000;
/** A change is dated when its transaction begins, and seen when that is committed: whoever looks looks back so far. */
const OVERLAP_SECONDS = 5;

/** Where the plain poll keeps its rows, in the database of who reads: as the projection does. */
export const PLAIN_PEOPLE = 'plain.people';

export interface PlainPoll {
  stop(): Promise<void>;
}

/**
 * The plainest alternative to the bus: who keeps names looks every second into identity's outbox itself, for what has changed since the last look. It
 * needs a right to read another context's tables, and loses what is committed later than its overlap.
 */
export async function startPlainPoll({ identity, booking }: { identity: Sql; booking: Sql }): Promise<PlainPoll> {
  await booking`create schema plain`;
  await booking`
    create table plain.people (user_id uuid primary key, version integer not null, display_name text not null)`;
  let since = new Date(0);

  async function look(): Promise<void> {
    const [clock] = await identity<{ since: Date }[]>`
      select now() - make_interval(secs => ${OVERLAP_SECONDS}) as since`;
    const changed = await identity`
      select user_id, version, first_name || ' ' || last_name as display_name
      from people_published join user_profiles using (user_id) where changed_at > ${since}`;
    if (changed.length > 0) {
      await booking`
        insert into plain.people select * from jsonb_populate_recordset(null::plain.people, ${JSON.stringify(changed)}::text::jsonb)
        on conflict (user_id) do update set version = excluded.version, display_name = excluded.display_name
        where people.version < excluded.version`;
    }
    since = clock?.since ?? since;
  }

  const told = new AbortController();
  async function run(): Promise<void> {
    while (!told.signal.aborted) {
      await look();
      await sleep(LOOK_EVERY_MS, undefined, { signal: told.signal }).catch(() => undefined);
    }
  }
  const running = run();
  running.catch(() => undefined); // `stop` says so
  return {
    async stop() {
      told.abort();
      await running;
    },
  };
}
