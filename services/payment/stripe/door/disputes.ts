import type Stripe from 'stripe';
import { fromStripe } from '../../../../kernel/currencies';
import { DISPUTE_STATUSES, type DisputeStatus } from '../../../../kernel/statuses';
import type { DisputeMovement, StripeDispute, StripeEvidence } from '../answers';
import { type Asking, isAnyAnswer } from './asking';

/** So many are looked at in one operation, each with two questions of its own. */
const A_PAGE = 20;

/** The calls about payments that a card's holder disputes. */
export function disputeCalls(stripe: Stripe, { answerOf, reading }: Asking) {
  return {
    /** A dispute as Stripe has it now; null when Stripe knows none of that name. */
    readDispute: (id: string) => reading('readDispute', async () => disputeOf(await stripe.disputes.retrieve(id))),

    /** All disputes of an intent, the oldest first. */
    listDisputesOf: (intentId: string) =>
      reading('listDisputesOf', async () => {
        const found: StripeDispute[] = [];
        for await (const dispute of stripe.disputes.list({ payment_intent: intentId, limit: 100 }))
          found.push(disputeOf(dispute));
        return found.reverse();
      }).then((found) => found ?? []),

    /** A page of all disputes since a time, the newest first. `after`: the dispute with which the page before ended. */
    listDisputes: (since: Date, after: string | null) =>
      reading('listDisputes', async () => {
        const created = { gte: Math.floor(since.getTime() / 1_000) };
        const page = await stripe.disputes.list({ created, limit: A_PAGE, ...(after && { starting_after: after }) });
        return { items: page.data.map(disputeOf), hasMore: page.has_more };
      }).then((page) => page ?? { items: [], hasMore: false }),

    /** Sends evidence to the bank, which takes it once. */
    submitEvidence: (key: string, id: string, evidence: StripeEvidence) =>
      // Decided or answered meanwhile is said without a code.
      answerOf('submitEvidence', isAnyAnswer, async () =>
        disputeOf(await stripe.disputes.update(id, { evidence, submit: true }, { idempotencyKey: key })),
      ),

    /** Gives a dispute up, for good. */
    closeDispute: (key: string, id: string) =>
      answerOf('closeDispute', isAnyAnswer, async () =>
        disputeOf(await stripe.disputes.close(id, {}, { idempotencyKey: key })),
      ),
  };
}

function disputeOf(dispute: Stripe.Dispute): StripeDispute {
  const currency = dispute.currency.toUpperCase();
  const { due_by: dueBy } = dispute.evidence_details;
  const intent = dispute.payment_intent;
  return {
    id: dispute.id,
    intentId: typeof intent === 'string' ? intent : (intent?.id ?? null),
    status: statusOf(dispute.status),
    reason: dispute.reason,
    amount: fromStripe(dispute.amount, currency),
    currency,
    respondBy: dueBy ? new Date(dueBy * 1_000) : null,
    openedAt: new Date(dispute.created * 1_000),
    movements: dispute.balance_transactions.map(lineOf),
  };
}

function lineOf(line: Stripe.BalanceTransaction): DisputeMovement {
  const currency = line.currency.toUpperCase();
  return { id: line.id, amount: fromStripe(line.amount, currency), fee: fromStripe(line.fee, currency), currency };
}

/** An appeal goes on where the bank has the money, and so does whatever Stripe may add: nothing is decided by a word that nobody here knows. */
function statusOf(said: string): DisputeStatus {
  return DISPUTE_STATUSES.find((known) => known === said) ?? 'under_review';
}
