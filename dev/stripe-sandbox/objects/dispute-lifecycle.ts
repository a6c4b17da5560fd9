/**
 * What a dispute goes through: an inquiry that asks, a chargeback that takes the money, and the bank's decision.
 * See https://docs.stripe.com/disputes/how-disputes-work
 */
import type Stripe from 'stripe';
import { money } from '../memory/amounts';
import { refused } from '../memory/errors';
import { newId } from '../memory/ids';
import type { JobTask } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { disputeFeeIn, moveFunds } from './balance';
import { idOf } from './charges';
import { NO_EVIDENCE } from './dispute-evidence';
import { recordEvent } from './events';
import { failPendingRefunds } from './refunds';
import { cardWith } from './test-cards';

const DAY_MS = 24 * 3600 * 1000;
/** Banks allow 7 to 21 days; Stripe's test mode gives eight, to the end of the day. */
const RESPONSE_DAYS = 8;
/** "If an inquiry remains open for 120 days without escalating to a chargeback, Stripe marks it as closed." */
const INQUIRY_OPEN_MS = 120 * DAY_MS;

/** Why a holder may dispute a card payment. See https://docs.stripe.com/disputes/categories */
export const DISPUTE_REASONS = [
  'credit_not_processed',
  'duplicate',
  'fraudulent',
  'general',
  'product_not_received',
  'product_unacceptable',
  'subscription_canceled',
  'unrecognized',
] as const;
type DisputeReason = (typeof DISPUTE_REASONS)[number];

/** Visa's own codes, those that one reason has alone. See https://docs.stripe.com/disputes/categories#network-code-map */
const VISA_CODES = new Map([
  ['credit_not_processed', '13.6'],
  ['fraudulent', '10.4'],
  ['product_not_received', '13.1'],
  ['product_unacceptable', '13.3'],
  ['subscription_canceled', '13.2'],
]);

type DisputeStep = Extract<JobTask, { dispute: string }>['kind'];

function schedule(tx: Tx, kind: DisputeStep, dispute: string, dueAt: number): void {
  tx.unit.schedule('bank', dueAt, tx.account, { kind, dispute });
}

type DisputeEvent = Extract<Stripe.Event['type'], `charge.dispute.${string}`>;

/** Stores a dispute with what has changed of it, and tells. */
export function changeDispute(
  tx: Tx,
  before: Stripe.Dispute,
  news: Partial<Stripe.Dispute>,
  type: DisputeEvent,
): Stripe.Dispute {
  const dispute = tx.disputes.save({ ...before, ...news });
  recordEvent(tx, type, dispute, type === 'charge.dispute.updated' ? before : undefined);
  return dispute;
}

interface Terms {
  reason: DisputeReason;
  inquiry: boolean;
  /** In minor units, below or above what was paid. */
  amount: number;
  /** Seconds since 1970; 0 where the bank allows no response, so that the dispute is lost at once. */
  dueBy: number;
}

/** Of the rest, all that is left of the charge is disputed, and the usual time allowed. */
type NewDispute = Pick<Terms, 'reason' | 'inquiry'> & { [K in 'amount' | 'dueBy']?: Terms[K] | undefined };

/** What of a charge was paid and not given back, in minor units. */
function unrefunded(charge: Stripe.Charge): number {
  return charge.amount - charge.amount_refunded;
}

/**
 * The holder's bank disputes a charge, also one that was disputed before.
 * @throws StripeProblem where no money was taken, or all of it was given back: such a payment "the cardholder can no longer dispute"
 *   (https://support.stripe.com/questions/dispute-fees-faq)
 */
export function openDispute(tx: Tx, charge: Stripe.Charge, asked: NewDispute): Stripe.Dispute {
  const left = unrefunded(charge);
  if (charge.status !== 'succeeded' || !charge.captured || left === 0) {
    throw refused(`Charge ${charge.id} cannot be disputed: ${money(left, charge.currency)} of it was paid and kept.`);
  }
  const { reason, inquiry, amount = left, dueBy = deadline(tx) } = asked;
  const dispute = tx.disputes.add(describe(tx, charge, { reason, inquiry, amount, dueBy }), linksOf(charge));
  recordEvent(tx, 'charge.dispute.created', dispute);
  if (!charge.disputed) {
    const disputed = tx.charges.save({ ...charge, disputed: true });
    recordEvent(tx, 'charge.updated', disputed, charge);
  }
  if (!inquiry) return withdraw(tx, dispute);
  schedule(tx, 'close_inquiry', dispute.id, tx.unit.now + INQUIRY_OPEN_MS);
  return dispute;
}

/** The charge of a test card made for that is disputed; one that was refunded wholly meanwhile is not. */
export function openCardDispute(tx: Tx, chargeId: string): void {
  const charge = tx.charges.find(chargeId);
  const said = cardWith(charge?.payment_method_details?.card?.fingerprint).disputes;
  if (charge === undefined || said === undefined || unrefunded(charge) === 0) return;
  openDispute(tx, charge, { reason: said.reason, inquiry: said.inquiry ?? false });
}

/** The last second of a day, in UTC. */
function deadline(tx: Tx): number {
  const today = Math.floor(tx.unit.now / DAY_MS);
  return ((today + RESPONSE_DAYS + 1) * DAY_MS) / 1000 - 1;
}

function linksOf({ id, payment_intent: intent }: Stripe.Charge): string[] {
  return [`charge:${id}`, ...(intent === null ? [] : [`payment_intent:${idOf(intent)}`])];
}

function describe(tx: Tx, charge: Stripe.Charge, { reason, inquiry, amount, dueBy }: Terms): Stripe.Dispute {
  return {
    id: newId('du'),
    object: 'dispute',
    amount,
    balance_transactions: [],
    charge: charge.id,
    created: tx.seconds,
    currency: charge.currency,
    enhanced_eligibility_types: [],
    evidence: NO_EVIDENCE,
    evidence_details: {
      due_by: dueBy,
      enhanced_eligibility: {},
      has_evidence: false,
      past_due: false,
      submission_count: 0,
      submission_method: 'not_submitted',
    },
    intended_submission_method: null,
    is_charge_refundable: inquiry,
    livemode: false,
    metadata: {},
    payment_intent: idOf(charge.payment_intent),
    payment_method_details: { card: cardDetails(charge, reason, inquiry), type: 'card' },
    reason,
    status: inquiry ? 'warning_needs_response' : 'needs_response',
  };
}

function cardDetails(charge: Stripe.Charge, reason: string, inquiry: boolean) {
  const brand = charge.payment_method_details?.card?.brand ?? 'unknown';
  const code = brand === 'visa' ? VISA_CODES.get(reason) : undefined;
  return {
    brand,
    case_type: inquiry ? 'inquiry' : 'chargeback',
    network: brand,
    // Codes of inquiries are of an older list, of which Stripe's cards for tests have this one.
    network_reason_code: inquiry ? (code === '10.4' ? '10' : null) : (code ?? null),
  };
}

/**
 * The bank takes the disputed amount, and Stripe its fee: a chargeback. The balance may go below zero. What is still being
 * refunded is not.
 */
function withdraw(tx: Tx, before: Stripe.Dispute): Stripe.Dispute {
  const charge = idOf(before.charge) ?? '';
  failPendingRefunds(tx, charge);
  const taken = moveFunds(tx, {
    type: 'adjustment',
    reportingCategory: 'dispute',
    amount: -before.amount,
    fee: disputeFeeIn(before.currency),
    feeDescription: 'Dispute fee',
    currency: before.currency,
    source: before.id,
    description: `Chargeback withdrawal for ${charge}`,
  });
  const news = { balance_transactions: [...before.balance_transactions, taken] };
  const dispute = changeDispute(tx, before, news, 'charge.dispute.funds_withdrawn');
  schedule(tx, 'miss_deadline', dispute.id, (dispute.evidence_details.due_by ?? 0) * 1000);
  return dispute;
}

/** Dismissed by the payee, given up or decided: the holder keeps the money. */
export function loseDispute(tx: Tx, before: Stripe.Dispute): Stripe.Dispute {
  return changeDispute(tx, before, { status: 'lost' }, 'charge.dispute.closed');
}

/**
 * The bank gives the money back, or some of it, but not the fee, and the charge can be refunded again.
 * @throws StripeProblem if that is more than was disputed
 */
function winDispute(tx: Tx, before: Stripe.Dispute, amount = before.amount): Stripe.Dispute {
  if (amount > before.amount)
    throw refused(`Of dispute ${before.id} ${money(before.amount, before.currency)} were taken.`);
  const back = moveFunds(tx, {
    type: 'adjustment',
    reportingCategory: 'dispute_reversal',
    amount,
    currency: before.currency,
    source: before.id,
    description: `Chargeback reversal for ${idOf(before.charge)}`,
  });
  const news = { is_charge_refundable: true, balance_transactions: [...before.balance_transactions, back] };
  const won = changeDispute(tx, before, { ...news, status: 'won' }, 'charge.dispute.funds_reinstated');
  recordEvent(tx, 'charge.dispute.closed', won);
  return won;
}

/**
 * The bank is not content with the answer to its inquiry: a chargeback, to which the payee may respond anew. A charge that was
 * refunded wholly is past that: the inquiry closes.
 */
function escalate(tx: Tx, before: Stripe.Dispute): Stripe.Dispute {
  const charge = tx.charges.get(idOf(before.charge) ?? '');
  if (unrefunded(charge) === 0) return close(tx, before);
  const news = {
    status: 'needs_response',
    is_charge_refundable: false,
    payment_method_details: { card: cardDetails(charge, before.reason, false), type: 'card' },
    evidence_details: { ...before.evidence_details, due_by: deadline(tx) },
  };
  return withdraw(tx, changeDispute(tx, before, news, 'charge.dispute.updated'));
}

function close(tx: Tx, before: Stripe.Dispute): Stripe.Dispute {
  return changeDispute(tx, before, { status: 'warning_closed' }, 'charge.dispute.closed');
}

/** Nobody has answered in time. Only evidence overturns a dispute, so it is lost; Stripe does not say how soon after the deadline. */
export function missDeadline(tx: Tx, id: string): void {
  const before = tx.disputes.find(id);
  const dueBy = before?.evidence_details.due_by ?? 0;
  if (before?.status === 'needs_response' && dueBy * 1000 <= tx.unit.now) loseDispute(tx, before);
}

/** An inquiry that nobody escalated in time is over. */
export function closeInquiry(tx: Tx, id: string): void {
  const before = tx.disputes.find(id);
  if (before !== undefined && isInquiry(before)) close(tx, before);
}

/** Whether it only asks so far, and is not over. */
export function isInquiry({ status }: Stripe.Dispute): boolean {
  return status === 'warning_needs_response' || status === 'warning_under_review';
}

/** Has the bank read the evidence that was submitted, after a while. */
export function scheduleDecision(tx: Tx, dispute: string): void {
  schedule(tx, 'decide_dispute', dispute, tx.unit.now + tx.unit.settings.disputeDecisionMs);
}

/**
 * What evidence decides in test mode; any other stays under review, as do words that do not fit an inquiry or a chargeback.
 * See https://docs.stripe.com/testing#evidence
 */
export function decideDispute(tx: Tx, id: string): void {
  const dispute = tx.disputes.find(id);
  if (dispute === undefined) return;
  const words = dispute.evidence.uncategorized_text;
  if (dispute.status === 'under_review' && words === 'winning_evidence') winDispute(tx, dispute);
  if (dispute.status === 'under_review' && words === 'losing_evidence') loseDispute(tx, dispute);
  if (dispute.status === 'warning_under_review' && words === 'losing_evidence') close(tx, dispute);
  if (dispute.status === 'warning_under_review' && words === 'escalate_inquiry_evidence') escalate(tx, dispute);
}

/** What a test has the bank say now, instead of waiting for it. */
type Verdict = { to: 'won'; reinstated?: number | undefined } | { to: 'lost' | 'escalated' | 'closed' };

/**
 * From which statuses the bank can say what: without evidence no dispute is won, a lost one may be won late, a won one is final.
 * See https://docs.stripe.com/disputes/how-disputes-work#after-the-decision
 */
const WAYS: Record<Verdict['to'], readonly string[]> = {
  won: ['under_review', 'lost'],
  lost: ['needs_response', 'under_review'],
  escalated: ['warning_needs_response', 'warning_under_review'],
  closed: ['warning_needs_response', 'warning_under_review'],
};

/**
 * Brings a dispute further, as the bank would.
 * @throws StripeProblem where no way leads from its status, or more would come back than was taken
 */
export function settleDisputeNow(tx: Tx, id: string, verdict: Verdict): Stripe.Dispute {
  const before = tx.disputes.get(id);
  if (!WAYS[verdict.to].includes(before.status)) throw refused(`Dispute ${id} is ${before.status}.`);
  if (verdict.to === 'won') return winDispute(tx, before, verdict.reinstated);
  if (verdict.to === 'lost') return loseDispute(tx, before);
  return verdict.to === 'escalated' ? escalate(tx, before) : close(tx, before);
}
