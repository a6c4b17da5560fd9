import type { Database } from '../db/client';
import type { ProblemError } from '../kernel/errors';
import { SECOND } from '../kernel/time';
import type { Changes } from './changes';
import { type ClientRequest, keepAnswer, type StoredReply, throwStored } from './idempotency';

// A client's request that a saga carries out: it is stored with its key, the saga is started, its row is waited for, and the
// answer is kept under the key. Whatever crashes in between, the same key finds the same thing again.

/** The client is answered after this long at the latest, with what there is. */
const ANSWER_WITHIN_MS = 10 * SECOND;
/** How long such a request may hold its key: 5 s for Temporal to take it, `ANSWER_WITHIN_MS` of waiting, and slack. */
export const LEASE_SECONDS = 20;
/**
 * A request whose client has not come back for so long, and whose saga never began, is refused for good: nobody is to be charged for
 * what they gave up. Clients that repeat a request after a fault do so within seconds, or at most some minutes.
 */
export const CLIENT_GONE_SECONDS = 10 * 60;
/** How many rows of a kind one sweep looks at. It locks them for some milliseconds each; the next one comes soon. */
export const SWEEP_BATCH = 100;

/** What the claim of a request's key came to: carry it out, send the key's stored reply again, or a refusal that is stored already. */
export type Claimed<Run> =
  | Run
  | { kind: 'replay'; reply: StoredReply; resourceId: string }
  | { kind: 'refused'; problem: ProblemError };

/**
 * Answers a request once per key: by `run`, whose answer is kept, or by `repeat` from the success that was stored under the
 * key. A stored refusal is sent again as it was. Without a key (`request` undefined) it just runs.
 * @throws ProblemError, StoredRefusal; what `run` throws
 */
export async function answerOnce<Run extends { kind: 'run' }, Reply extends StoredReply>(
  db: Database,
  request: ClientRequest | undefined,
  claimed: Claimed<Run>,
  answer: { run(claim: Run): Promise<Reply>; repeat(stored: StoredReply, resourceId: string): Reply | Promise<Reply> },
): Promise<Reply> {
  if (claimed.kind === 'refused') throw claimed.problem;
  if (claimed.kind === 'replay') {
    throwStored(claimed.reply);
    return answer.repeat(claimed.reply, claimed.resourceId);
  }
  return keepAnswer(db, request, () => answer.run(claimed));
}

/** A request under way. */
export interface Started<State> {
  /** The id of the row that the saga changes. */
  id: string;
  receivedAt: Date;
  /** Starts the saga, unless it is known to run or to have run. */
  start(): Promise<unknown>;
  read(): Promise<State>;
  /** Whether there is anything to tell the client. */
  isDecided(state: State): boolean;
}

/**
 * Starts the saga and waits for what becomes of its row, at most `answerWithinMs` after the request came in.
 * @returns the row's state then, decided or not. @throws what `start` and `read` throw
 */
export async function startAndWait<State>(
  changes: Changes,
  { id, receivedAt, start, read, isDecided }: Started<State>,
  answerWithinMs = ANSWER_WITHIN_MS,
): Promise<State> {
  await start();
  return changes.until(id, receivedAt.getTime() + answerWithinMs, read, isDecided);
}
