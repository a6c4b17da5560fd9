import { Logger, run } from 'graphile-worker';
import postgres from 'postgres';
import { z } from 'zod';
import { type Order, type Outcome, orderSchema, outcomeSchema, untilReminder } from '../order';
import { type Answer, bookSession, createSteps, retrying } from '../saga';
import type { StartEngine } from './engine';

const CHANNEL = 'saga_answered';
const CONCURRENCY = 64;
const PATIENCE_MS = 60_000;

const SCHEMA = `create table sagas (
  id uuid primary key, input jsonb not null, answers jsonb not null default '{}', outcome jsonb
)`;

const payloadSchema = z.object({ id: z.uuid() });
const answerSchema = z.union([z.object({ value: z.unknown() }), z.object({ refused: z.string() })]);
const rowSchema = z.object({ input: orderSchema, answers: z.record(z.string(), answerSchema) });

/**
 * What teams build themselves: a row per saga and a job on graphile-worker, added in one transaction (an outbox). The
 * job runs the steps and stores each answer before the next step. A job that is run again goes on after the last
 * stored answer. Version 0.17 is the newest that Node 20 runs. pg-boss, the other queue on Postgres, polls, while
 * NOTIFY wakes graphile-worker.
 */
export const startQueue: StartEngine = async ({ clients, databaseUrl, poolSize }) => {
  const steps = createSteps(clients);
  const sql = postgres(databaseUrl, { max: poolSize, onnotice: () => undefined });
  await sql.unsafe(SCHEMA);
  const waiting = new Map<string, (outcome: Outcome) => void>();

  const rowOf = async (id: string) => {
    const [row] = await sql`select input, answers from sagas where id = ${id}`;
    return rowSchema.parse(row);
  };

  async function work(id: string): Promise<void> {
    const { input: order, answers } = await rowOf(id);
    await bookSession(steps, order, {
      async run<T>(name: string, step: () => Promise<Answer<T>>) {
        const known = answers[name];
        if (known) return known as Answer<T>;
        const answer = await retrying(step);
        await sql`update sagas set answers = answers || ${sql.json({ [name]: answer } as never)} where id = ${id}`;
        return answer;
      },
      async answer(outcome) {
        await sql`
          with done as (update sagas set outcome = ${sql.json(outcome)} where id = ${id})
          select pg_notify(${CHANNEL}, ${JSON.stringify({ id, ...outcome })})`;
      },
      async live() {
        const runAt = new Date(Date.now() + untilReminder(order));
        await sql`select graphile_worker.add_job('remind', ${sql.json({ id })}::json, run_at => ${runAt}, job_key => ${`remind:${id}`})`;
      },
    });
  }

  const runner = await run({
    connectionString: databaseUrl,
    concurrency: CONCURRENCY,
    maxPoolSize: poolSize,
    noHandleSignals: true,
    logger: new Logger(() => () => undefined),
    taskList: {
      book: (payload) => work(payloadSchema.parse(payload).id),
      remind: async () => undefined,
    },
  });
  await sql.listen(CHANNEL, (text) => {
    const { id, ...outcome } = z.looseObject({ id: z.string() }).parse(JSON.parse(text));
    waiting.get(id)?.(outcomeSchema.parse(outcome));
  });

  return {
    async book(order: Order) {
      const id = order.bookingId;
      const answered = new Promise<Outcome>((resolve, reject) => {
        waiting.set(id, resolve);
        setTimeout(() => reject(new Error(`No answer within ${PATIENCE_MS} ms`)), PATIENCE_MS).unref();
      });
      try {
        await sql.begin(async (tx) => {
          await tx`insert into sagas (id, input) values (${id}, ${tx.json(order)})`;
          await tx`select graphile_worker.add_job('book', ${tx.json({ id })}::json)`;
        });
        return await answered;
      } finally {
        waiting.delete(id);
      }
    },
    async close() {
      await runner.stop();
      await sql.end({ timeout: 5 });
    },
  };
};
