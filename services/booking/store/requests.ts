import { and, eq, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { bookingNotes, bookingRequests, idempotencyKeys } from '../../../db/schema/booking';
import { ProblemError } from '../../../kernel/errors';
import type { Party } from '../../../kernel/session';
import { endOf } from '../../../kernel/time';
import { type AdminAct, recordAct } from '../../../platform/audit';
import { announce } from '../../../platform/changes';
import { type ClientRequest, claimKey, type KeyedRequest, storeRefusal } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { type Claimed, LEASE_SECONDS } from '../../../platform/saga-request';
import type { NewBooking, Refusal } from '../contract';
import { isTemporary, type Progress, refusalAfter, requestOutcome } from '../rules/request';
import type { Session } from '../rules/session';
import { liveSessions, readProgress } from './reads';

// What a client's write stores before any saga is asked: the claim of its key, and what the saga must not carry. And how a request
// comes to nothing.

type RequestRow = typeof bookingRequests.$inferSelect;

/**
 * Claims the key of a request to book and stores the request under a new booking id, in one transaction: a retry after a
 * crash finds both and goes on with the same booking. `refusal` is asked once, by the first claim. `started`: the saga is
 * known to have run. A request whose booking came to nothing for reasons of the platform gets a new booking when it is
 * repeated.
 * @throws ProblemError idempotency_key_reused; idempotency_in_progress
 */
export async function claimBooking(
  db: Database,
  request: ClientRequest,
  studentId: string,
  wanted: NewBooking,
  refusal: (live: readonly Session[]) => ProblemError | undefined,
): Promise<Claimed<{ kind: 'run'; bookingId: string; started: boolean }>> {
  return db.transaction(async (tx) => {
    const claim = await claimKey(tx, request, uuidv7(), LEASE_SECONDS);
    if (claim.kind === 'replay') return claim;
    if (!claim.first) {
      const bookingId = claim.resourceId;
      const progress = await readProgress(tx, bookingId);
      const started = progress.booking !== null || progress.refusal !== null;
      if (!cameToNothing(bookingId, progress)) return { kind: 'run', bookingId, started };
      return {
        kind: 'run',
        bookingId: await insertRequest(tx, await giveNewId(tx, request), studentId, wanted),
        started: false,
      };
    }
    const session = { startsAt: wanted.scheduledAt, endsAt: endOf(wanted.scheduledAt, wanted.durationMinutes) };
    const problem = refusal(await liveSessions(tx, studentId, session));
    if (problem) {
      await storeRefusal(tx, request, problem);
      return { kind: 'refused', problem };
    }
    return { kind: 'run', bookingId: await insertRequest(tx, claim.resourceId, studentId, wanted), started: false };
  });
}

function cameToNothing(bookingId: string, progress: Progress): boolean {
  const outcome = requestOutcome(bookingId, progress);
  return outcome.kind === 'refused' && isTemporary(outcome.problem);
}

async function insertRequest(tx: Transaction, id: string, studentId: string, wanted: NewBooking): Promise<string> {
  const { tutorId, subject, scheduledAt, durationMinutes, pricingOptionId = null } = wanted;
  await tx.insert(bookingRequests).values({
    id,
    studentId,
    tutorId,
    subject,
    scheduledAt: new Date(scheduledAt),
    durationMinutes,
    pricingOptionId,
  });
  return id;
}

async function giveNewId(tx: Transaction, request: KeyedRequest): Promise<string> {
  const resourceId = uuidv7();
  await tx.update(idempotencyKeys).set({ resourceId }).where(byKey(request));
  return resourceId;
}

const byKey = (request: KeyedRequest) =>
  and(eq(idempotencyKeys.owner, request.owner), eq(idempotencyKeys.key, request.key));

/** What a person wrote with a command. */
export interface Note {
  kind: 'cancel' | 'decline' | 'resolve';
  text: string;
}

export interface CommandRun {
  kind: 'run';
  noteId: string | null;
  /** When the command first arrived under its key: a retry after a fault must not cost the student a refund. */
  requestedAt: Date;
}

/**
 * Claims the key of a command, if it has one, and stores its note in the same transaction. The note's id is the key's
 * resource, so that a retry sends the same one. `refusal` is asked once, by the first claim: a retry may find the state
 * changed by its own first attempt.
 * @throws ProblemError idempotency_key_reused; idempotency_in_progress; what `refusal` returned when there is no key
 */
export async function claimCommand(
  db: Database,
  request: ClientRequest | undefined,
  command: {
    bookingId: string;
    authorId: string;
    note: Note | undefined;
    receivedAt: Date;
    refusal: ProblemError | undefined;
    /** Of an administrator's, whose note is its reason. */
    act?: Pick<AdminAct, 'act' | 'before' | 'after'>;
  },
): Promise<Claimed<CommandRun>> {
  const { bookingId, authorId, note, receivedAt, refusal, act } = command;
  return db.transaction(async (tx) => {
    const claim = request && (await claimKey(tx, request, uuidv7(), LEASE_SECONDS));
    if (claim?.kind === 'replay') return claim;
    if (request && claim && !claim.first) {
      return { kind: 'run', noteId: note ? claim.resourceId : null, requestedAt: await claimedAt(tx, request) };
    }
    if (refusal) {
      if (request) await storeRefusal(tx, request, refusal);
      return { kind: 'refused', problem: refusal };
    }
    // Kept for retries, which say the same to the saga: their own arrival would be another cancel than the first one's.
    if (request) await tx.update(idempotencyKeys).set({ createdAt: receivedAt }).where(byKey(request));
    const noteId = claim?.resourceId ?? uuidv7();
    if (note) await tx.insert(bookingNotes).values({ id: noteId, bookingId, authorId, ...note });
    if (note && act) {
      const subject = { type: 'booking', id: bookingId } as const;
      await recordAct(tx, { adminId: authorId, subject, reason: note.text, ...act });
    }
    return { kind: 'run', noteId: note ? noteId : null, requestedAt: receivedAt };
  });
}

async function claimedAt(tx: Transaction, request: KeyedRequest): Promise<Date> {
  const [row] = await tx.select({ at: idempotencyKeys.createdAt }).from(idempotencyKeys).where(byKey(request));
  return row?.at ?? new Date();
}

/** Who called a request off, before there was a booking, and the note of what they wrote. */
interface CalledOff {
  cancelledBy: Party | null;
  noteId: string | null;
}

/** A request's row, locked until the transaction ends: whether it is refused or its saga begins is decided by who has it first. */
export async function lockRequest(tx: Transaction, id: string): Promise<RequestRow | undefined> {
  const [request] = await tx.select().from(bookingRequests).where(eq(bookingRequests.id, id)).for('update');
  return request;
}

/** Refuses a locked request for good and wakes the client that waits. The first refusal stays. */
export async function settleRefused(
  tx: Transaction,
  request: RequestRow,
  refusal: Refusal,
  calledOff: Partial<CalledOff> = {},
): Promise<void> {
  if (request.refusal) return;
  await tx
    .update(bookingRequests)
    .set({ refusal, ...calledOff, settledAt: request.settledAt ?? sql`now()` })
    .where(eq(bookingRequests.id, request.id));
  await announce(tx, request.id);
}

/**
 * Calls off a request whose saga has not begun; a saga that begins later finds it refused. True as well when it had come to nothing
 * before. False once its saga has begun: then the saga has to be asked.
 * @throws ProblemError not_found
 */
export async function callOffRequest(
  db: Database,
  id: string,
  { by, noteId }: { by: Party; noteId: string | null },
): Promise<boolean> {
  return db.transaction(async (tx) => {
    const request = await lockRequest(tx, id);
    if (!request) throw new ProblemError('not_found');
    if (request.refusal) return true;
    if (request.sagaStartedAt || request.settledAt) return false;
    const { code, detail } = refusalAfter(`cancelled_by_${by}`);
    await settleRefused(tx, request, { code, detail }, { cancelledBy: by, noteId });
    return true;
  });
}
