import { eq, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../../db/client';
import { disputes, earningHolds } from '../../../../db/schema/payment';
import type { DisputeStatus } from '../../../../kernel/statuses';
import { codeOf, participants } from '../../../../platform/event-schema';
import { uuidv7 } from '../../../../platform/ids';
import { appendEvent } from '../../../../platform/outbox';
import { bookingIdOf, feeOf } from '../../charges/rules';
import { changePayment, lockPayment, type PaymentRow } from '../../charges/store/payments';
import { lockPayee } from '../../earnings/store';
import { paymentEvents } from '../../events';
import {
  DISPUTE_LOSSES,
  DISPUTED,
  disputeEntries,
  PLATFORM_REVENUE,
  payerOwed,
  tutorFrozen,
  tutorPayable,
  tutorPending,
} from '../../ledger/rules';
import { disputesOf, movedByDispute, post, standingOf } from '../../ledger/store';
import { coverable, coverByBank } from '../../refunds/store/cover';
import { countRefunds, dueOf, postOwed } from '../../refunds/store/owed';
import { insertRefund } from '../../refunds/store/refunds';
import type { StripeDispute } from '../../stripe/answers';
import {
  awaitsResponse,
  type Claim,
  claimEntries,
  claimKind,
  disputeStatusAfter,
  isDecided,
  type Taken,
} from '../rules';
import type { DisputeRow } from './disputes';

// What Stripe says of a dispute, as it is recorded here, with all that follows from it for its payment's money.

const OWED_AGAIN = 'Owed again: the dispute by which the bank had given it back was won';

/** A dispute as it is recorded. `isNews`: something has changed. */
export interface Recorded {
  dispute: DisputeRow;
  payment: PaymentRow;
  isNews: boolean;
}

/**
 * Records what Stripe says of a dispute of a payment. Its refunds must have been asked for later than the dispute, and been recorded: what a
 * bank has taken Stripe refunds no more. @throws ProblemError not_found
 */
export async function recordDispute(db: Database, of: PaymentRow, said: StripeDispute): Promise<Recorded> {
  return db.transaction(async (tx) => {
    // What comes back may become payable.
    await lockPayee(tx, of.payeeId);
    const payment = await lockPayment(tx, of.id);
    const before = await lockKnown(tx, payment, said);
    const status = disputeStatusAfter(before.status, said.status);
    const decided = isDecided(status);
    await postLines(tx, payment, before, said);
    const withdrawn = (await movedByDispute(tx, before.id, 'stripe'))(DISPUTED);
    const news = {
      ...{ status, withdrawn, amount: said.amount, respondBy: said.respondBy },
      submittedAt: submittedAt(before, status),
      decidedAt: decided ? (before.decidedAt ?? new Date()) : null,
    };
    const isNews =
      before.version === 0 ||
      status !== before.status ||
      withdrawn !== before.withdrawn ||
      said.amount !== before.amount ||
      said.respondBy?.getTime() !== before.respondBy?.getTime();
    if (!isNews) return { dispute: before, payment, isNews };
    await hold(tx, before, decided);
    const version = before.version + 1;
    const claim = { withdrawn, decided };
    const settled = await settleClaim(tx, payment, { ...before, version }, claim);
    const updated = await tx
      .update(disputes)
      .set({ ...news, covered: settled.covered, version, updatedAt: sql`now()` })
      .where(eq(disputes.id, before.id))
      .returning();
    const dispute = theOnly(updated);
    await tell(tx, before, dispute, payment);
    return { dispute, payment: settled.payment, isNews };
  });
}

/** The dispute's row, locked; made if there is none. */
async function lockKnown(tx: Transaction, { id: paymentId }: PaymentRow, said: StripeDispute): Promise<DisputeRow> {
  const { id: stripeDisputeId, status, reason, currency, amount, respondBy, openedAt } = said;
  await tx
    .insert(disputes)
    .values({
      id: uuidv7(),
      paymentId,
      stripeDisputeId,
      status,
      reason,
      currency,
      amount,
      respondBy,
      openedAt,
      version: 0,
    })
    .onConflictDoNothing({ target: disputes.stripeDisputeId });
  const locked = await tx.select().from(disputes).where(eq(disputes.stripeDisputeId, stripeDisputeId)).for('update');
  return theOnly(locked);
}

/** What was sent stands until the bank, having asked so far, has taken the money: then it waits for an answer anew. */
function submittedAt({ submittedAt: sent }: DisputeRow, status: DisputeStatus): Date | null {
  if (awaitsResponse(status)) return null;
  return status === 'under_review' || status === 'warning_under_review' ? (sent ?? new Date()) : sent;
}

/** Posts what Stripe's books say of a dispute: then the ledger's balance is Stripe's at any moment. */
async function postLines(
  tx: Transaction,
  payment: PaymentRow,
  { id: disputeId, currency }: DisputeRow,
  said: StripeDispute,
): Promise<void> {
  for (const { id: reference, amount, fee, currency: counted } of said.movements) {
    if (counted !== currency) throw new Error(`Stripe counts dispute ${said.id} in ${counted}, not in ${currency}`);
    const kind = amount < 0 ? 'dispute_withdrawn' : 'dispute_reinstated';
    await post(tx, payment, { disputeId, kind, reference, currency, entries: disputeEntries(amount, fee) });
  }
}

/** As long as a dispute is open, of an inquiry too, nothing of its payment becomes payable. */
async function hold(tx: Transaction, { id, paymentId }: DisputeRow, decided: boolean): Promise<void> {
  const closedAt = decided ? sql<Date>`now()` : null;
  await tx
    .insert(earningHolds)
    .values({ id, paymentId, reason: 'dispute', closedAt })
    .onConflictDoUpdate({
      target: earningHolds.id,
      set: { closedAt: decided ? sql`coalesce(${earningHolds.closedAt}, now())` : null },
    });
}

/** Moves what a dispute has still to move of a payment's money. */
async function settleClaim(
  tx: Transaction,
  locked: PaymentRow,
  dispute: DisputeRow,
  reckoned: Omit<Claim, 'taken'>,
): Promise<{ payment: PaymentRow; covered: number }> {
  const { id: paymentId, payeeId: tutorId, currency, captured } = locked;
  const claim = { ...reckoned, taken: await takenBy(tx, locked, dispute.id) };
  let payment = locked;
  let { covered } = dispute;
  if (claim.decided && claim.withdrawn > claim.taken.lost) {
    const could = await coverable(tx, paymentId);
    payment = await coverByBank(tx, payment, claim.withdrawn - claim.taken.lost);
    covered += could - (await coverable(tx, paymentId));
  }
  const reference = `${dispute.stripeDisputeId}/${dispute.version}`;
  const { owed, sent, ...shares } = await standingOf(tx, paymentId, tutorId);
  const money = { ...shares, owed, due: await dueOf(tx, payment, sent) };
  const covers = Math.min(Math.max(0, claim.withdrawn), await coverable(tx, paymentId));
  const shared = { id: paymentId, currency, captured, fee: feeOf(payment), tutorId };
  const entries = claimEntries(claim, shared, money, { covers, released: payment.releasedAt !== null });
  await post(tx, payment, { disputeId: dispute.id, kind: claimKind(claim), reference, currency, entries });
  const counted = await disputesOf(tx, paymentId);
  payment = await changePayment(tx, payment, { ...counted, ...(await countRefunds(tx, { ...payment, ...counted })) });
  // Lost and won after all, what the bank had given is owed by us again.
  const again = claim.decided ? covered - Math.min(covered, Math.max(0, claim.withdrawn)) : 0;
  if (again > 0) {
    const details = { id: uuidv7(), origin: 'request', reason: OWED_AGAIN, requestedBy: null } as const;
    ({ payment } = await insertRefund(tx, payment, { ...details, amount: again }));
  }
  await postOwed(tx, payment, reference);
  return { payment, covered: covered - again };
}

/** What a dispute has moved of its payment's money so far. */
async function takenBy(tx: Transaction, { id, payeeId }: PaymentRow, disputeId: string): Promise<Taken> {
  const moved = await movedByDispute(tx, disputeId, 'claim');
  return {
    revenue: moved(PLATFORM_REVENUE),
    pending: moved(tutorPending(payeeId)),
    payable: moved(tutorPayable(payeeId)),
    owed: moved(payerOwed(id)),
    frozen: 0 - moved(tutorFrozen(payeeId)),
    losses: moved(DISPUTE_LOSSES),
    lost: 0 - moved(DISPUTED),
  };
}

/** Which event tells of a dispute's arrival in a state. */
const EVENT_OF = {
  warning_needs_response: null,
  warning_under_review: 'DisputeSubmitted',
  warning_closed: 'DisputeClosed',
  prevented: 'DisputeClosed',
  needs_response: 'DisputeEscalated',
  under_review: 'DisputeSubmitted',
  won: 'DisputeWon',
  lost: 'DisputeLost',
} as const satisfies Record<DisputeStatus, string | null>;

async function tell(tx: Transaction, before: DisputeRow, dispute: DisputeRow, payment: PaymentRow): Promise<void> {
  const { id: disputeId, status, reason, currency } = dispute;
  const { id: paymentId, payerId, payeeId } = payment;
  const data = {
    ...{ disputeId, paymentId, bookingId: bookingIdOf(payment), status, reason: codeOf(reason) },
    ...{ payerId, payeeId, participantIds: participants(payerId, payeeId) },
    amount: { amount: dispute.amount, currency },
    withdrawn: { amount: dispute.withdrawn, currency },
  };
  const isNew = before.version === 0;
  if (isNew) await appendEvent(tx, paymentEvents, { streamId: disputeId, type: 'DisputeOpened', data });
  const isOver = isDecided(status);
  const type = isNew && !isOver ? null : EVENT_OF[status];
  if (type && (isNew || before.status !== status))
    await appendEvent(tx, paymentEvents, { streamId: disputeId, type, data });
}
