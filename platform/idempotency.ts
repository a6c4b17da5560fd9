import { and, type Column, eq, inArray, isNull, lt, ne, not, or, type SQL, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../db/client';
import { idempotencyKeys } from '../db/schema/platform';
import { ERROR_CODES, ProblemError } from '../kernel/errors';
import { isUndoKey, stepKeyOf, type UndoKey } from '../kernel/step-key';
import { problemBody, StoredRefusal } from './problem';
import { currentContext } from './telemetry';

/** Who a stored key belongs to, and the request it was used for. */
export interface KeyedRequest {
  /** A user's id, or `service` for the platform's own calls: keys of different owners never meet. */
  owner: string;
  key: string;
  /** Hash of method, path and what was asked; another one under the same key is refused. */
  fingerprint: string;
  /** Taken for the same: what the code of before stored for this very request. */
  formerFingerprint?: string | undefined;
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
/** Stands in the fingerprint of a step that was undone. */
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
  return db.transaction(async (tx) => (request ? onceIn(tx, request, effect) : effect(tx)));
}

/**
 * As `once`, for a command whose reply is known before its effect: it is stored together with the key, which saves a statement.
 * @throws ProblemError as `once` does
 */
export async function onceWith<Body>(
  db: Database,
  request: KeyedRequest,
  reply: StoredReply<Body>,
  effect: (tx: Transaction) => Promise<void>,
): Promise<StoredReply<Body>> {
  requireStorable(reply);
  return db.transaction(async (tx) => {
    const earlier = await claim(tx, request, { replyStatus: reply.status, replyBody: reply.body ?? null });
    if (earlier) return replayed<Body>(earlier, isSame(earlier, request));
    await effect(tx);
    return reply;
  });
}

/** @throws ProblemError as `once` does; a repeat of an undo is one whatever it says */
async function onceIn<Body>(
  tx: Transaction,
  request: KeyedRequest,
  effect: (tx: Transaction) => Promise<StoredReply<Body>>,
  kind: 'step' | 'undo' = 'step',
): Promise<StoredReply<Body>> {
  const earlier = await claim(tx, request);
  if (earlier) return replayed<Body>(earlier, kind === 'undo' || isSame(earlier, request));
  const reply = await effect(tx);
  requireStorable(reply);
  await tx
    .update(table)
    .set({ replyStatus: reply.status, replyBody: reply.body ?? null })
    .where(byKey(request));
  return reply;
}

type Row = typeof table.$inferSelect;

/** Takes the key, after waiting for whoever is taking it. @returns the row of who had it before */
async function claim(
  tx: Transaction,
  request: KeyedRequest,
  reply: Partial<Pick<Row, 'replyStatus' | 'replyBody'>> = {},
): Promise<Row | undefined> {
  const { owner, key, fingerprint } = request;
  const claimed = await tx
    .insert(table)
    .values({ owner, key, fingerprint, ...reply, resourceId: sql`gen_random_uuid()` })
    .onConflictDoNothing()
    .returning({ key: table.key });
  return claimed.length > 0 ? undefined : held(tx, request);
}

async function held(tx: Transaction, request: KeyedRequest): Promise<Row> {
  const [row] = await tx.select().from(table).where(byKey(request));
  if (!row) throw new ProblemError('idempotency_in_progress', undefined, { retryAfterSeconds: 1 });
  return row;
}

function isSame(row: Row, { fingerprint, formerFingerprint }: KeyedRequest): boolean {
  return row.fingerprint === fingerprint || row.fingerprint === formerFingerprint;
}

function replayed<Body>(row: Row, same: boolean): StoredReply<Body> {
  if (row.fingerprint === STEP_UNDONE) throw new ProblemError('undone');
  if (!same) throw new ProblemError('idempotency_key_reused');
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
  const { owner, key, fingerprint } = request;
  const lease = sql`now() + make_interval(secs => ${leaseSeconds})`;
  const claimed = await tx
    .insert(table)
    .values({ owner, key, fingerprint, resourceId, leasedUntil: lease })
    .onConflictDoNothing()
    .returning({ key: table.key });
  if (claimed.length > 0) return { kind: 'run', resourceId, first: true };

  const row = await held(tx, request);
  if (row.fingerprint !== fingerprint) throw new ProblemError('idempotency_key_reused');
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
      and(
        byKey(request),
        isNull(table.replyStatus),
        or(isNull(table.leasedUntil), lt(table.leasedUntil, sql`clock_timestamp()`)),
      ),
    )
    .returning({ key: table.key });
  if (taken.length === 0) throw new ProblemError('idempotency_in_progress', undefined, { retryAfterSeconds: 1 });
  return { kind: 'run', resourceId: row.resourceId, first: false };
}

/** Whether a reply may be stored. One that says nothing about the request would be repeated under its key for a day. */
function isStorable(status: number): boolean {
  return status < 500 && status !== 429 && status !== 401;
}

function requireStorable({ status }: StoredReply): void {
  if (!isStorable(status)) throw new Error(`a reply with status ${status} is never stored under a key`);
}

/**
 * Stores the reply of a claimed key and ends its lease. The first stored reply stays.
 * @throws Error for a status that must never be stored (5xx, 429, 401): a defect of the caller
 */
export async function storeReply(db: Database | Transaction, request: KeyedRequest, reply: StoredReply): Promise<void> {
  requireStorable(reply);
  await db
    .update(table)
    .set({ replyStatus: reply.status, replyBody: reply.body ?? null, leasedUntil: null })
    .where(and(byKey(request), isNull(table.replyStatus)));
}

/**
 * Ends the lease without a reply, so that a retry may run at once: for 503, 429 and crashes that were noticed. When it ended stays
 * in the row: by that the sweep knows how long the client has been gone.
 */
export async function releaseKey(db: Database, request: KeyedRequest): Promise<void> {
  await db
    .update(table)
    .set({ leasedUntil: sql`clock_timestamp()` })
    .where(and(byKey(request), isNull(table.replyStatus)));
}

/** The request of one of the platform's own parts under its step's key, or that of its undo. */
export function byService<Key extends string>(call: {
  idempotencyKey: Key;
  fingerprint: string;
  formerFingerprint?: string | undefined;
}): KeyedRequest & { key: Key } {
  const { idempotencyKey: key, fingerprint, formerFingerprint } = call;
  return { owner: SERVICE, key, fingerprint, formerFingerprint };
}

/**
 * Whether nobody waits any more for what a request stored: it is older than `seconds`, by the database's clock, and its client has neither
 * claimed its key within them nor been answered (202: the saga is Temporal's by then, and the client reads on). A key that is forgotten
 * says that nobody has come for a day. `stored`: columns of the asking query.
 */
export function isAbandoned(
  stored: { ownerId: Column; id: Column; createdAt: Column },
  seconds: number,
): SQL | undefined {
  const since = sql`now() - make_interval(secs => ${seconds})`;
  // The owner comes first: the keys of one person are a short range of the primary key, and ids of resources are in no index.
  const awaited = sql`exists (select from ${table} where ${table.owner} = ${stored.ownerId}::text and ${table.resourceId} = ${stored.id}
    and (${table.replyStatus} is not null or greatest(${table.createdAt}, ${table.leasedUntil}) > ${since}))`;
  return and(lt(stored.createdAt, since), not(awaited));
}

/** A person's request under their own key, if it carries one. */
export function byUser(call: {
  user: { id: string };
  idempotencyKey?: string | undefined;
  fingerprint: string;
}): KeyedRequest | undefined {
  const { user, idempotencyKey: key, fingerprint } = call;
  return key === undefined ? undefined : { owner: user.id, key, fingerprint };
}

/** A client's request under its key, and the path it came to, which a stored refusal names. */
export interface ClientRequest extends KeyedRequest {
  instance: string;
}

/** The key of a client's call to the path `instance`. */
export function clientRequest(
  call: { user: { id: string }; idempotencyKey: string; fingerprint: string },
  instance: string,
): ClientRequest {
  return { owner: call.user.id, key: call.idempotencyKey, fingerprint: call.fingerprint, instance };
}

/** Whether a refusal is the answer for good: what may come out differently next time is not kept. */
function isFinal(error: unknown): error is ProblemError {
  return error instanceof ProblemError && !ERROR_CODES[error.code].retryable && isStorable(error.status);
}

/** Stores a refusal under a claimed key, as it is sent: byte for byte the same reply again. */
export async function storeRefusal(
  db: Database | Transaction,
  request: ClientRequest,
  problem: ProblemError,
): Promise<void> {
  const body = problemBody(problem, request.instance, currentContext()?.requestId ?? '');
  await storeReply(db, request, { status: problem.status, body });
}

/**
 * Answers a request whose key was claimed, and stores the answer under the key, a final refusal too. After anything else
 * that went wrong the key is free, so that a retry need not wait for the lease to end. A 202 is stored without its body,
 * which may hold a secret and is out of date tomorrow. Without a key it just answers.
 * @throws what `answer` throws
 */
export async function keepAnswer<Reply extends StoredReply>(
  db: Database,
  request: ClientRequest | undefined,
  answer: () => Promise<Reply>,
): Promise<Reply> {
  if (!request) return answer();
  try {
    const reply = await answer();
    await storeReply(db, request, { status: reply.status, body: reply.status === 202 ? null : reply.body });
    return reply;
  } catch (error) {
    if (isFinal(error)) await storeRefusal(db, request, error);
    else await releaseKey(db, request).catch(() => undefined);
    throw error;
  }
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

/** The request of an undo, under the key that names its step. */
export type UndoRequest = KeyedRequest & { key: UndoKey };

/** Whether a request is that of an undo, where one operation serves a step and its undo. */
export function isUndo(request: KeyedRequest): request is UndoRequest {
  return isUndoKey(request.key);
}

/**
 * Runs the undo of a saga step once. Before its effect the undo leaves a mark under the step's own key, in place of what the step may
 * have left there: whether the step has happened, never did, or arrives late, it is refused with `undone` from now on. A step that is
 * happening right now is waited for, and then undone. The first undo counts, and bodies are not compared: a saga that repeats its undo
 * after a crash may know a better reason by then.
 * @throws ProblemError those of `once`
 */
export async function undoOnce<Body>(
  db: Database,
  request: UndoRequest,
  effect: (tx: Transaction) => Promise<StoredReply<Body>>,
): Promise<StoredReply<Body>> {
  const mark = { fingerprint: STEP_UNDONE, replyStatus: 409, replyBody: null, leasedUntil: null };
  const undo = async (tx: Transaction) => {
    await tx
      .insert(table)
      .values({ owner: request.owner, key: stepKeyOf(request.key), ...mark, resourceId: sql`gen_random_uuid()` })
      .onConflictDoUpdate({ target: [table.owner, table.key], set: { ...mark, createdAt: sql`now()` } });
    return effect(tx);
  };
  return db.transaction((tx) => onceIn(tx, request, undo, 'undo'));
}
