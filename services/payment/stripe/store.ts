import { createHash } from 'node:crypto';
import { and, desc, eq, isNull, or, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../db/client';
import { stripeAttempts } from '../../../db/schema/payment';
import { ProblemError } from '../../../kernel/errors';

const table = stripeAttempts;
type Row = typeof table.$inferSelect;

/** A request to Stripe that is about to be sent, or was sent and nobody knows what came of it. */
export interface Attempt {
  id: number;
  /** Its idempotency key at Stripe: `<step key>/<number>`. */
  stripeKey: string;
  /** Nothing can have been sent before: no look-up is needed. */
  fresh: boolean;
  customerId: string | null;
  startedAt: Date;
}

/** What an attempt is about, and the step that asks for it. */
export interface AttemptTarget {
  /** `<workflowId>/<step>`. */
  stepKey: string;
  kind: Row['kind'];
  /** The id of what it is about. */
  subject: string;
  customerId?: string | null;
}

/** Stripe's longest idempotency key. */
const LONGEST_KEY = 255;

/**
 * Opens the attempt at an effect: the one that is open already, whoever opened it, else a new one with the next number.
 * The caller holds the lock of the subject's row and commits before anything is sent.
 * @throws ProblemError idempotency_key_reused when the step key was used for another thing
 */
export async function openAttempt(tx: Transaction, target: AttemptTarget): Promise<Attempt> {
  const { stepKey, kind, subject } = target;
  const ofTarget = and(eq(table.subject, subject), eq(table.kind, kind));
  const rows = await tx
    .select()
    .from(table)
    .where(or(eq(table.stepKey, stepKey), and(ofTarget, isNull(table.outcome))));
  const ofStep = rows.filter((row) => row.stepKey === stepKey);
  if (ofStep.some((row) => row.kind !== kind || row.subject !== subject))
    throw new ProblemError('idempotency_key_reused');
  const open = rows.find((row) => row.outcome === null);
  if (open) return attemptOf(open, false);
  const number = Math.max(0, ...ofStep.map((row) => row.number)) + 1;
  const made = await tx
    .insert(table)
    .values({ stepKey, number, kind, subject, customerId: target.customerId ?? null })
    .returning();
  return attemptOf(theOnly(made), number === 1);
}

/** Notes what came of an attempt. The first outcome stays: two requests may have shared it. @returns whether this was the first */
export async function closeAttempt(
  tx: Transaction,
  attempt: Attempt,
  outcome: Closing['outcome'],
  code: string | null = null,
): Promise<boolean> {
  const closed = await tx
    .update(table)
    .set({ outcome, code, finishedAt: sql`now()` })
    .where(and(eq(table.id, attempt.id), isNull(table.outcome)))
    .returning({ id: table.id });
  return closed.length > 0;
}

/** What came of an attempt, noted together with the change it made. */
export interface Closing {
  attempt: Attempt;
  outcome: 'done' | 'refused' | 'nothing';
  code?: string;
}

/** Closes an attempt that changed nothing here: it was refused, or had no effect at all. */
export async function closeWithoutEffect(db: Database, { attempt, outcome, code }: Closing): Promise<void> {
  await db.transaction((tx) => closeAttempt(tx, attempt, outcome, code));
}

/** The attempts at an effect that may have left something behind: open ones, and failures that looked like nothing. The newest first. */
export async function doubtfulAttempts(
  tx: Transaction,
  subject: string,
  kind: Row['kind'],
): Promise<(Attempt & { open: boolean })[]> {
  const rows = await tx
    .select()
    .from(table)
    .where(
      and(eq(table.subject, subject), eq(table.kind, kind), sql`coalesce(${table.outcome}, 'nothing') = 'nothing'`),
    )
    .orderBy(desc(table.id));
  return rows.map((row) => ({ ...attemptOf(row, false), open: row.outcome === null }));
}

function attemptOf(row: Row, fresh: boolean): Attempt {
  const key = `${row.stepKey}/${row.number}`;
  const stripeKey = key.length > LONGEST_KEY ? createHash('sha256').update(key).digest('hex') : key;
  return { id: row.id, stripeKey, fresh, customerId: row.customerId, startedAt: row.startedAt };
}
