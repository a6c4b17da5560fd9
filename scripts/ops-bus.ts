import Table from 'cli-table3';
import { sql } from 'drizzle-orm';
import type { Database } from '../db/client';
import { DATABASE_CONTEXTS, type DatabaseContext } from '../kernel/modules';
import type { Projection } from '../platform/bus/consumer';
import { rebuild } from '../platform/bus/rebuild';
import { consumerStates, retryDead, skipDead } from '../platform/bus/store';
import { definitionOf } from '../services';
import { asOperator, type Operated } from './as-operator';

const USAGE = `npm run ops:bus                                                topics, how far consumers have come, what is dead
npm run ops:bus -- retry <context> <id>                       have a dead event tried again; those behind it follow
npm run ops:bus -- skip <context> <id> --reason <text>        give a dead event up; those behind it follow
npm run ops:bus -- compare <context> <projection>             make a projection anew beside its rows, and compare
npm run ops:bus -- rebuild <context> <projection>             the same, and put the new rows in their place`;

const PLAIN = { head: [], border: [] };

/** `npm run ops:bus`: the event bus, for operators. */
void asOperator('ops-bus', async (operated) => {
  const [command = 'status', ...given] = process.argv.slice(2);
  const { words, reason } = withoutReason(given);
  const [name = '', what = ''] = words;
  if (command === 'status' && given.length === 0) return status(operated);
  if (words.length !== 2 || (command === 'skip') !== (reason !== undefined)) throw new Error(USAGE);
  if (command === 'retry' || command === 'skip') return decide(operated, contextNamed(name), idOf(what), reason);
  if (command !== 'compare' && command !== 'rebuild') throw new Error(USAGE);
  return remake(operated, contextNamed(name), what, command === 'rebuild');
});

function withoutReason(given: readonly string[]): { words: readonly string[]; reason: string | undefined } {
  const at = given.indexOf('--reason');
  if (at === -1) return { words: given, reason: undefined };
  const reason = given
    .slice(at + 1)
    .join(' ')
    .trim();
  if (reason === '') throw new Error(USAGE);
  return { words: given.slice(0, at), reason };
}

function contextNamed(name: string): DatabaseContext {
  const context = DATABASE_CONTEXTS.find((candidate) => candidate === name);
  if (!context) throw new Error(`There is no context ${name}, only ${DATABASE_CONTEXTS.join(', ')}`);
  return context;
}

function idOf(text: string): number {
  if (!/^[1-9]\d{0,14}$/.test(text)) throw new Error(`${text} is no id of a dead event; npm run ops:bus shows them`);
  return Number(text);
}

async function status({ bus, config, database }: Operated): Promise<string> {
  const topics = new Table({ head: ['topic', 'appended', 'last', 'relay'], style: PLAIN });
  for (const { topic, appended, appendedAt, holder } of await bus().topics()) {
    topics.push([topic, appended, appendedAt?.toISOString() ?? '-', holder ?? 'nobody']);
  }
  const outboxes = new Table({ head: ['outbox', 'unpublished', 'oldest'], style: PLAIN });
  const consumers = new Table({
    head: ['consumer', 'topic', 'behind', 'waiting', 'dead', 'left out'],
    style: PLAIN,
  });
  const dead = new Table({ head: ['dead', 'consumer', 'event', 'stream', 'error', 'since'], style: PLAIN });
  for (const context of DATABASE_CONTEXTS.filter((candidate) => config.contexts.has(candidate))) {
    const { db } = database(context);
    const [outbox] = await db.execute<{ count: string; oldest: string | null }>(
      sql`select count(*), min(occurred_at) as oldest from events where published_at is null`,
    );
    outboxes.push([context, Number(outbox?.count), outbox?.oldest ? new Date(outbox.oldest).toISOString() : '-']);
    if (context === 'identity') outboxes.push(await people(db));
    if (!definitionOf(context).consumers) continue;
    for (const { consumer, topic, cursor, leftOut, parked } of await consumerStates(db)) {
      const { items, behind } = await bus().read(topic, cursor === null ? null : bus().cursor(cursor), 1);
      const gone = parked.filter(({ deadAt }) => deadAt !== null);
      consumers.push([
        `${context} ${consumer}`,
        topic,
        behind + items.length,
        parked.length - gone.length,
        gone.length,
        leftOut,
      ]);
      for (const { id, type, streamId, version, error, deadAt } of gone) {
        dead.push([
          `${context} ${id}`,
          consumer,
          type,
          `${streamId} ${version}`,
          error ?? '',
          deadAt?.toISOString() ?? '',
        ]);
      }
    }
  }
  return [topics, outboxes, consumers, ...(dead.length > 0 ? [dead] : [])].map(String).join('\n');
}

/** The outbox of the keyed topic of people. */
async function people(db: Database): Promise<string[]> {
  const [outbox] = await db.execute<{ count: string; oldest: string | null }>(
    sql`select count(*), min(changed_at) as oldest from people_published where published_version < version`,
  );
  return ['identity people', outbox?.count ?? '0', outbox?.oldest ? new Date(outbox.oldest).toISOString() : '-'];
}

async function decide(
  { database }: Operated,
  context: DatabaseContext,
  id: number,
  reason: string | undefined,
): Promise<string> {
  const { db } = database(context);
  const done = reason === undefined ? await retryDead(db, id) : await skipDead(db, id, reason);
  if (!done) throw new Error(`${context} has no dead event ${id}; npm run ops:bus shows them`);
  return reason === undefined ? `${id} is tried again; if it fails, it is dead again` : `${id} is skipped: ${reason}`;
}

async function remake({ bus, database }: Operated, context: DatabaseContext, name: string, replace: boolean) {
  const projections = (definitionOf(context).consumers ?? []).filter(
    (one): one is Projection => one.kind === 'projection',
  );
  const projection = projections.find((candidate) => candidate.name === name);
  if (!projection) {
    const known = projections.map((one) => one.name).join(', ') || 'none';
    throw new Error(`${context} has no projection ${name}; it has ${known}`);
  }
  const { events, different, behind } = await rebuild(database(context).db, bus(), projection, { replace });
  const found = Object.entries(different)
    .map(([table, rows]) => `${table}: ${rows} rows differ`)
    .join('\n');
  const late = behind > 0 ? `\n${behind} events are not read yet: what they are of may differ for now` : '';
  return `Made of ${events} events.\n${found}${replace ? '\nThe new rows have taken their place.' : ''}${late}`;
}
