import type { Sql } from 'postgres';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../../kernel/modules';
import { definitionOf } from '../../services';
import type { ChaosEvidence } from './evidence';

// Outboxes, topics and what consumers made of them have to say the same.

/** What is not on the bus yet, or waits behind an event that could not be applied, in sentences. */
export async function busNotSettled({ database }: Pick<ChaosEvidence, 'database'>): Promise<string[]> {
  const counts = await Promise.all(
    DATABASE_CONTEXTS.map(async (context) => {
      const sql = database(context);
      const [outbox] = await sql<{ count: number }[]>`select count(*)::int from events where published_at is null`;
      const parked = await parkedOf(context, sql);
      return [
        ...(outbox && outbox.count > 0 ? [`${context} has events that are not published`] : []),
        ...(parked > 0 ? [`${context} has parked events`] : []),
      ];
    }),
  );
  const [people] = await database('identity')<{ count: number }[]>`
    select count(*)::int from people_published where published_version < version`;
  return [...counts.flat(), ...(people && people.count > 0 ? ['identity has people who are not published'] : [])];
}

async function parkedOf(context: DatabaseContext, sql: Sql): Promise<number> {
  if (!definitionOf(context).consumers) return 0;
  const [parked] = await sql<{ count: number }[]>`select count(*)::int from parked_events`;
  return parked?.count ?? 0;
}

/** Where outboxes, topics and projections say different things, in sentences. */
export async function aboutBus(
  evidence: Pick<ChaosEvidence, 'database' | 'bus' | 'projectionsDiffer'>,
): Promise<string[]> {
  const wrong = await Promise.all(
    DATABASE_CONTEXTS.map((context) => aboutTopic(context, evidence.database(context), evidence.bus)),
  );
  return [...wrong.flat(), ...(await aboutPeople(evidence)), ...(await evidence.projectionsDiffer())];
}

/** An event, as its outbox and its topic have it: one text that holds all of it. */
interface Told {
  id: string;
  is: string;
}

async function aboutTopic(context: DatabaseContext, outbox: Sql, bus: Sql): Promise<string[]> {
  const topic = `${context}.events`;
  const written = await outbox<Told[]>`
    select event_id as id, concat_ws(' ', stream_id, version, type, data::text, floor(extract(epoch from occurred_at) * 1000)) as is
    from events`;
  const told = await bus<(Told & { offset: number; stream: string; version: number })[]>`
    select event_id as id, concat_ws(' ', stream_id, version, type, data::text, floor(extract(epoch from occurred_at) * 1000)) as is,
           "offset"::int, stream_id as stream, version
    from messages where topic = ${topic} order by "offset"`;
  const onBus = new Map(told.map((event) => [event.id, event.is]));
  const latest = new Map<string, number>();
  const disordered = told.filter(({ stream, version }) => {
    const before = latest.get(stream) ?? 0;
    latest.set(stream, version);
    return version !== before + 1;
  });
  return [
    ...written.filter(({ id }) => !onBus.has(id)).map(({ id }) => `event ${id} of ${context} is not on the bus`),
    ...written
      .filter(({ id, is }) => onBus.has(id) && onBus.get(id) !== is)
      .map(({ id }) => `event ${id} of ${context} is another on the bus`),
    ...(told.length > written.length
      ? [`${topic} has ${told.length} events, of which ${written.length} were written`]
      : []),
    ...(told.some(({ offset }, place) => offset !== place) ? [`the offsets of ${topic} have gaps`] : []),
    ...disordered.map(({ stream, version }) => `version ${version} of ${stream} is out of its order on ${topic}`),
  ];
}

async function aboutPeople({ database, bus }: Pick<ChaosEvidence, 'database' | 'bus'>): Promise<string[]> {
  const real = await database('identity')<Told[]>`
    select u.id, concat_ws(' ', first_name, last_name, '/', role, time_zone, locale) as is
    from users u join user_profiles on user_id = u.id where status = 'active'`;
  const told = await bus<Told[]>`
    select stream_id as id, concat_ws(' ', data ->> 'displayName', '/', data ->> 'role', data ->> 'timeZone', data ->> 'locale') as is
    from messages where topic = 'identity.people'`;
  const said = new Map(told.map((person) => [person.id, person.is]));
  return real
    .filter(({ id, is }) => said.get(id) !== is)
    .map(({ id }) => `identity.people says of ${id} something else than identity`);
}
