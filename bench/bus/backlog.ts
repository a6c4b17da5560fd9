import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { openDatabase } from '../../db/client';
import { openReader } from '../../platform/bus/postgres';
import { rebuild } from '../../platform/bus/rebuild';
import { createLogger } from '../../platform/telemetry';
import { ratingsProjection } from '../../services/tutoring/store/ratings';
import type { Stack } from '../stack';

// Reviews of tutors that nobody has published or read yet: events of tutoring, and what its projection of ratings makes of them.

const { name: CONSUMER, topic: TOPIC } = ratingsProjection;
const TUTORS = 1_000;
const LOOK_EVERY_MS = 100;

/** Writes so many events as reviews do, each of a stream of its own. The services are down meanwhile, as if they had been for long. */
export async function fillOutbox(tutoring: Sql, count: number): Promise<void> {
  await tutoring`
    insert into tutor_profiles (id, display_name, time_zone)
    select gen_random_uuid(), 'Tutor', 'UTC' from generate_series(1, ${TUTORS}::int)`;
  await tutoring`
    with tutors as (select id, row_number() over (order by id) - 1 as place from tutor_profiles),
      reviews as materialized (select n, gen_random_uuid() as id from generate_series(1, ${count}::int) n)
    insert into events (event_id, stream_id, version, type, data)
    select gen_random_uuid(), r.id, 1, 'TutorReviewReceived', jsonb_build_object(
      'tutorId', t.id, 'participantIds', jsonb_build_array(t.id), 'reviewId', r.id, 'rating', 1 + r.n % 5)
    from reviews r join tutors t on t.place = r.n % ${TUTORS}::int order by r.n`;
  // A backlog grows over hours, in which autovacuum sees it.
  await tutoring`analyze events`;
}

/** Has the projection begin anew, with nothing. */
export async function forgetRatings(tutoring: Sql): Promise<void> {
  await tutoring`delete from consumer_cursors where consumer = ${CONSUMER}`;
  await tutoring`delete from tutor_ratings`;
}

/** How many events are on the bus. */
export async function published(bus: Sql): Promise<number> {
  const [row] = await bus<{ n: number }[]>`select next_offset::int as n from topics where name = ${TOPIC}`;
  return row?.n ?? 0;
}

/** How many the ratings are made of. */
export async function counted(tutoring: Sql): Promise<number> {
  const [row] = await tutoring<{ n: number }[]>`select coalesce(sum(count), 0)::int as n from tutor_ratings`;
  return row?.n ?? 0;
}

/** @returns the seconds since `began` when it is so many; undefined when that takes longer than `withinSeconds` */
export async function secondsUntil(
  began: number,
  count: () => Promise<number>,
  { is, withinSeconds, signal }: { is: number; withinSeconds: number; signal: AbortSignal },
): Promise<number | undefined> {
  for (;;) {
    const now = await count();
    const seconds = (performance.now() - began) / 1_000;
    if (now >= is) return seconds;
    if (seconds > withinSeconds) return undefined;
    await sleep(LOOK_EVERY_MS, undefined, { signal });
  }
}

/** Makes the ratings anew beside those that are there, as `npm run ops:bus -- compare` does. */
export async function compareRatings({ platform: { environment } }: Stack) {
  const own = openDatabase(environment.TUTORING_DATABASE_URL ?? '', { poolSize: 1, applicationName: 'bench' });
  const reader = openReader(environment.BUS_READER_DATABASE_URL ?? '', 'bench', createLogger('bench', 'warn'));
  try {
    const began = performance.now();
    const { events, different, behind } = await rebuild(own.db, reader, ratingsProjection, { replace: false });
    return { events, different, behind, seconds: (performance.now() - began) / 1_000 };
  } finally {
    await Promise.all([own.close(), reader.close()]);
  }
}
