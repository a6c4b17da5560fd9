import type { DisputeStatus } from '../../../kernel/statuses';
import { DAY } from '../../../kernel/time';
import { bookingIdOf, type PaymentFacts } from '../charges/rules';
import type { Dispute, DisputeState, PaymentDispute } from '../contract';
import {
  DISPUTE_LOSSES,
  DISPUTED,
  type Entry,
  moving,
  PLATFORM_REVENUE,
  payerOwed,
  type Shared,
  type Shares,
  sharesOf,
  tutorFrozen,
  tutorPayable,
  tutorPending,
} from '../ledger/rules';

/**
 * How far a dispute has come. Stripe is asked by several at once, so an older answer can arrive after a newer: none leads back. An inquiry may
 * become a chargeback, also one that was closed, and one that was lost may be won late (docs.stripe.com/disputes/how-disputes-work).
 */
const ORDER: readonly DisputeStatus[] = [
  'warning_needs_response',
  'warning_under_review',
  'warning_closed',
  'prevented',
  'needs_response',
  'under_review',
  'lost',
  'won',
];

/** The status of a dispute after Stripe said `said` of it. */
export function disputeStatusAfter(now: DisputeStatus, said: DisputeStatus): DisputeStatus {
  return ORDER.indexOf(said) > ORDER.indexOf(now) ? said : now;
}

/** Whether the bank has spoken. */
export function isDecided(status: DisputeStatus): boolean {
  return status === 'won' || status === 'lost' || status === 'warning_closed' || status === 'prevented';
}

/** Whether the bank waits for what speaks against it. */
export function awaitsResponse(status: DisputeStatus): boolean {
  return status === 'needs_response' || status === 'warning_needs_response';
}

/** Evidence is sent so long before the bank's deadline: time for a second try, should Stripe be away. */
const SUBMITTED_BEFORE_MS = DAY;

/** Until when a payee can say something, which is when it is sent; null: nothing is sent any more. */
export function submitBy({ status, respondBy }: { status: DisputeStatus; respondBy: Date | null }): Date | null {
  if (!awaitsResponse(status) || respondBy === null) return null;
  return new Date(respondBy.getTime() - SUBMITTED_BEFORE_MS);
}

/** What a dispute has taken of a payment so far, by account: what its own postings say, its lines in Stripe's books aside. */
export interface Taken extends Shares {
  owed: number;
  frozen: number;
  losses: number;
  /** Of what the bank took, so much is decided as lost. */
  lost: number;
}

/** What a dispute's money is reckoned from. */
export interface Claim {
  /** What the bank has taken, less what it has given back. */
  withdrawn: number;
  decided: boolean;
  taken: Taken;
}

/** Where a payment's money is: its shares, and what its payer is owed by the ledger and is to be owed by its refunds. */
interface Money extends Shares {
  owed: number;
  due: number;
}

/**
 * What a dispute has still to move, so that the ledger says what Stripe does. Undecided, the tutor's share of what the bank has taken is
 * frozen. Lost, the bank has given it to the payer: what they were owed is paid by that first, then tutor and platform give up their shares as
 * for a refund, and what is more than was left of the payment is the platform's loss. Whatever came back is theirs again. Each is reckoned as
 * if the dispute had moved nothing yet, so it comes right from wherever it stood.
 * `money` is where the payment's money is now, `covers` what would be owed no longer if the dispute were lost; `released`: the tutor's share has become payable.
 */
export function claimEntries(
  { withdrawn, decided, taken }: Claim,
  payment: Shared,
  money: Money,
  { covers, released }: { covers: number; released: boolean },
): Entry[] {
  // What was pending once is payable by now.
  const had = released ? { ...taken, pending: 0, payable: taken.payable + taken.pending } : taken;
  const before = {
    revenue: money.revenue + had.revenue,
    pending: money.pending + had.pending,
    payable: money.payable + had.payable,
  };
  const stillDue = money.due - (decided ? 0 : covers) - (money.owed + had.owed);
  const owed = Math.min(Math.max(0, withdrawn), Math.max(0, -stillDue));
  const shared = Math.max(0, Math.min(withdrawn - owed, before.revenue + before.pending + before.payable));
  const shares = sharesOf(shared, payment, before);
  const to = decided
    ? { ...shares, owed, frozen: 0, losses: withdrawn - owed - shared, lost: withdrawn }
    : { ...shares, revenue: 0, owed: 0, frozen: shares.pending + shares.payable, losses: 0, lost: 0 };
  return moving([
    { account: PLATFORM_REVENUE, amount: to.revenue - had.revenue },
    { account: tutorPending(payment.tutorId), amount: to.pending - had.pending },
    { account: tutorPayable(payment.tutorId), amount: to.payable - had.payable },
    { account: payerOwed(payment.id), amount: to.owed - had.owed },
    { account: tutorFrozen(payment.tutorId), amount: had.frozen - to.frozen },
    { account: DISPUTE_LOSSES, amount: to.losses - had.losses },
    { account: DISPUTED, amount: had.lost - to.lost },
  ]);
}

/** By what name the ledger knows such a movement: it follows from where the dispute's money is then. */
export function claimKind({ withdrawn, decided }: Claim): 'dispute_frozen' | 'dispute_lost' | 'dispute_released' {
  if (withdrawn === 0) return 'dispute_released';
  return decided ? 'dispute_lost' : 'dispute_frozen';
}

/** What is shown of a dispute; a row of the store fits. */
export interface DisputeFacts {
  id: string;
  paymentId: string;
  status: DisputeStatus;
  reason: string;
  currency: string;
  amount: number;
  withdrawn: number;
  respondBy: Date | null;
  submittedAt: Date | null;
  acceptedAt: Date | null;
  openedAt: Date;
  decidedAt: Date | null;
  version: number;
}

/** What everybody who sees a dispute is told of it. */
function toldOfAll({ paymentId, status, currency, amount, withdrawn, respondBy }: DisputeFacts, payment: PaymentFacts) {
  return {
    paymentId,
    bookingId: bookingIdOf(payment),
    payeeId: payment.payeeId,
    status,
    amount: { amount, currency },
    withdrawn: { amount: withdrawn, currency },
    respondBy: respondBy?.toISOString() ?? null,
  };
}

/** A dispute as its saga sees it. `statement`: what its payee says. */
export function disputeStateOf(dispute: DisputeFacts, payment: PaymentFacts, statement: string | null): DisputeState {
  return {
    ...toldOfAll(dispute, payment),
    disputeId: dispute.id,
    version: dispute.version,
    submitBy: submitBy(dispute)?.toISOString() ?? null,
    stated: statement !== null,
    submitted: dispute.submittedAt !== null,
    decided: isDecided(dispute.status),
  };
}

/** A dispute as its payee sees it. */
export function shownDispute(dispute: DisputeFacts, payment: PaymentFacts, statement: string | null): Dispute {
  return {
    ...toldOfAll(dispute, payment),
    id: dispute.id,
    reason: dispute.reason,
    editableUntil: submitBy(dispute)?.toISOString() ?? null,
    statement,
    submittedAt: dispute.submittedAt?.toISOString() ?? null,
    accepted: dispute.acceptedAt !== null,
    openedAt: dispute.openedAt.toISOString(),
    decidedAt: dispute.decidedAt?.toISOString() ?? null,
    workflowId: `dispute:${dispute.id}`,
  };
}

/** A dispute as the two people of its payment see it. */
export function paymentDisputeOf({ id, status, currency, amount, respondBy }: DisputeFacts): PaymentDispute {
  return { id, status, amount: { amount, currency }, respondBy: respondBy?.toISOString() ?? null };
}
