import { and, eq, inArray, isNull, lt, ne, or, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../db/client';
import { idempotencyKeys } from '../db/schema/platform';
import { ProblemError } from '../kernel/errors';
import { type ProblemBody, problemBody, StoredRefusal } from './problem';

/** Who a stored key belongs to, and the request it was used for. */
export interface KeyedRequest {
  /** A user's id, or `service` for the platform's own calls: keys of different owners never meet. */
  owner: string;
  key: string;
  /** Hash of method, path and body; another one under the same key is refused. */
  fingerprint: string;
}

/** The owner of the keys by which the platform's own parts call each other. */
const SERVICE = 'service';

/** How long clients' stored replies live at least. */
export const KEY_LIFETIME_HOURS = 24;
/**
 * How long keys of the platform's own calls live at least. A saga retries a step for days, and the mark that an undo left
 * must still be there when the step it revoked arrives.
 */
export const SERVICE_KEY_LIFETIME_HOURS = 7 * 24;
/** Rows that one statement deletes: few enough to stay far below the statement timeout after a long pause. */
const FORGET_BATCH = 5_000;

const table = idempotencyKeys;
/** Stands in the fingerprint of a step that was undone before it happened. */
const STEP_UNDONE = 'undone';
const byKey = (request: KeyedRequest) => and(eq(table.owner, request.owner), eq(table.key, request.key));

/** A reply as stored: the success body, or a refusal that is to be repeated. */
export interface StoredReply<Body = unknown> {
  status: number;
  body: Body;
}

/**
 * Runs a database-only command once per key: key, parameters, effect and reply commit together, or not at all. A second
 * request with the key waits for the first one's transaction and gets its reply. A refusal (ProblemError) rolls
 * everything back and is not stored: nothing happened, so asking again is safe. Without a key the command just runs.
 * @throws ProblemError idempotency_key_reused; undone when an undo came first; idempotency_in_progress while a claim
 * (`claimKey`) holds the key
 */
export async function once<Body>(
  db: Database,
  request: KeyedRequest | undefined,
  effect: (tx: Transaction) => Promise<StoredReply<Body>>,
): Promise<StoredReply<Body>> {
  return db.transaction(async (tx) => {
    if (!request) return effect(tx);
    const claimed = await tx
      .insert(table)
      .values({ ...request, resourceId: sql`gen_random_uuid()` })
      .onConflictDoNothing()
      .returning({ key: table.key });
    if (claimed.length === 0) return replayed<Body>(await held(tx, request), request);
    const reply = await effect(tx);
    await tx
      .update(table)
      .set({ replyStatus: reply.status, replyBody: reply.body ?? null })
      .where(byKey(request));
    return reply;
  });
}

type Row = typeof table.$inferSelect;

async function held(tx: Transaction, request: KeyedRequest): Promise<Row> {
  const [row] = await tx.select().from(table).where(byKey(request));
  if (!row) throw new ProblemError('idempotency_in_progress', undefined, { retryAfterSeconds: 1 });
  return row;
}

function replayed<Body>(row: Row, request: KeyedRequest): StoredReply<Body> {
  if (row.fingerprint === STEP_UNDONE) throw new ProblemError('undone');
  if (row.fingerprint !== request.fingerprint) throw new ProblemError('idempotency_key_reused');
  if (row.replyStatus === null) throw new ProblemError('idempotency_in_progress', undefined, { retryAfterSeconds: 1 });
  // What was stored under this key and fingerprint is the reply of the same operation.
  return { status: row.replyStatus, body: (row.replyBody ?? undefined) as Body };
}

/** What a claim of a long-running request found: start (or attach to) the saga of `resourceId`, or repeat the stored reply. */
export type Claim =
  | { kind: 'run'; resourceId: string; first: boolean }
  | { kind: 'replay'; reply: StoredReply; resourceId: string };

/**
 * Claims a key for a request whose effect is a saga. The first claim stores `resourceId` (the id the new thing will
 * have) before anything is started; a retry after a crash gets the same id and attaches. Call it in the transaction that
 * stores the request itself.
 * @throws ProblemError idempotency_key_reused; idempotency_in_progress while another request holds the lease
 */
export async function claimKey(
  tx: Transaction,
  request: KeyedRequest,
  resourceId: string,
  leaseSeconds: number,
): Promise<Claim> {
  const lease = sql`now() + make_interval(secs => ${leaseSeconds})`;
  const claimed = await tx
    .insert(table)
    .values({ ...request, resourceId, leasedUntil: lease })
    .onConflictDoNothing()
    .returning({ key: table.key });
  if (claimed.length > 0) return { kind: 'run', resourceId, first: true };

  const row = await held(tx, request);
  if (row.fingerprint !== request.fingerprint) throw new ProblemError('idempotency_key_reused');
  if (row.replyStatus !== null) {
    return {
      kind: 'replay',
      reply: { status: row.replyStatus, body: row.replyBody ?? undefined },
      resourceId: row.resourceId,
    };
  }
  const taken = await tx
    .update(table)
    .set({ leasedUntil: lease })
    .where(
      and(byKey(request), isNull(table.replyStatus), or(isNull(table.leasedUntil), lt(table.leasedUntil, sql`now()`))),
    )
    .returning({ key: table.key });
  if (taken.length === 0) throw new ProblemError('idempotency_in_progress', undefined, { retryAfterSeconds: 1 });
  return { kind: 'run', resourceId: row.resourceId, first: false };
}

/** Stores the reply of a claimed key and ends its lease. The first stored reply stays. */
export async function storeReply(db: Database | Transaction, request: KeyedRequest, reply: StoredReply): Promise<void> {
  await db
    .update(table)
    .set({ replyStatus: reply.status, replyBody: reply.body ?? null, leasedUntil: null })
    .where(and(byKey(request), isNull(table.replyStatus)));
}

/** Ends the lease without a reply, so that a retry may run at once: for 503, 429 and crashes that were noticed. */
export async function releaseKey(db: Database, request: KeyedRequest): Promise<void> {
  await db
    .update(table)
    .set({ leasedUntil: null })
    .where(and(byKey(request), isNull(table.replyStatus)));
}

/** A refusal in the form it is stored, and sent, in: byte for byte the same reply again. */
export function refusalReply(problem: ProblemError, instance: string, requestId: string): StoredReply<ProblemBody> {
  return { status: problem.status, body: problemBody(problem, instance, requestId) };
}

/** Sends a stored refusal again, byte for byte. Returns for a success. @throws StoredRefusal */
export function throwStored({ status, body }: StoredReply): void {
  if (status >= 400) throw new StoredRefusal(status, body);
}

/** Deletes keys whose replies need not be kept any longer. Returns how many. */
export async function forgetOldKeys(db: Database): Promise<number> {
  const olderThan = (hours: number) => lt(table.createdAt, sql`now() - make_interval(hours => ${hours})`);
  const expired = db
    .select({ row: sql`ctid` })
    .from(table)
    .where(and(olderThan(KEY_LIFETIME_HOURS), or(ne(table.owner, SERVICE), olderThan(SERVICE_KEY_LIFETIME_HOURS))))
    .limit(FORGET_BATCH);
  for (let total = 0; ; ) {
    const deleted = await db.delete(table).where(inArray(sql`ctid`, expired)).returning({ owner: table.owner });
    total += deleted.length;
    if (deleted.length < FORGET_BATCH) return total;
  }
}

/**
 * Runs the undo of a saga step once. Its key is the step's key with `/undo` behind it. Before the effect it leaves a mark
 * under the step's own key: if the step has not happened, it never will (it is refused with `undone` when it arrives
 * late); if it is happening right now, this waits for it and then undoes it.
 * @throws ProblemError validation_failed when the key does not end so, and those of `once`
 */
export async function undoOnce<Body>(
  db: Database,
  request: KeyedRequest,
  effect: (tx: Transaction) => Promise<StoredReply<Body>>,
): Promise<StoredReply<Body>> {
  return once(db, request, async (tx) => {
    const stepKey = request.key.replace(/\/undo$/, '');
    if (stepKey === request.key) throw new ProblemError('validation_failed', 'The key of an undo ends with /undo');
    await tx
      .insert(table)
      .values({
        owner: request.owner,
        key: stepKey,
        fingerprint: STEP_UNDONE,
        resourceId: sql`gen_random_uuid()`,
        replyStatus: 409,
      })
      .onConflictDoNothing();
    return effect(tx);
  });
}
