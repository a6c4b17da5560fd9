import { ProblemError } from '../../../kernel/errors';
import { findPaymentByIntent } from '../charges/store/intents';
import { findPayment, type PaymentRow } from '../charges/store/payments';
import { refreshRefunds } from '../refunds/refresh';
import type { Answer, StripeDispute } from '../stripe/answers';
import { perform } from '../stripe/attempt';
import { type Attempt, closeWithoutEffect } from '../stripe/store';
import type { Till } from '../till';
import { awaitsResponse } from './rules';
import { type DisputeRow, type DisputeView, readDispute } from './store/disputes';
import { type ByAdmin, beginAcceptance, beginSubmission, endAtStripe } from './store/evidence';
import { type Recorded, recordDispute } from './store/record';

/**
 * Asks Stripe for all disputes of a payment and records them, and its refunds after that: what a bank has taken Stripe refunds no more, so
 * that every refund before it is known by then. Truth is what Stripe says now, whatever an event was called.
 * @throws ProblemError rate_limited, upstream_unavailable
 */
export async function refreshDisputes(till: Till, { id, stripeIntentId }: PaymentRow): Promise<Recorded[]> {
  if (!stripeIntentId) return [];
  const said = await till.stripe.listDisputesOf(stripeIntentId);
  const recorded: Recorded[] = [];
  for (const one of said) {
    let payment = await findPayment(till.db, id);
    if (payment && recorded.length === 0) payment = await refreshRefunds(till, payment);
    if (payment) recorded.push(await recordDispute(till.db, payment, one));
  }
  return recorded;
}

/**
 * The same of the payment that a dispute is about, by its intent at Stripe. Nothing when it is about none of ours.
 * @throws ProblemError rate_limited, upstream_unavailable
 */
export async function refreshDisputed(till: Till, intentId: string | null | undefined): Promise<Recorded[]> {
  const known = intentId ? await findPaymentByIntent(till.db, intentId) : undefined;
  return known ? refreshDisputes(till, known.payment) : [];
}

/** Asks Stripe what has become of a dispute and records it. @throws ProblemError not_found; rate_limited, upstream_unavailable */
export async function refreshDispute(till: Till, id: string): Promise<DisputeView> {
  const { payment } = await readDispute(till.db, id);
  await refreshDisputes(till, payment);
  return readDispute(till.db, id);
}

/**
 * Sends what speaks against a dispute to the bank. It stays as it is when the bank waits for nothing, or there is nothing to say.
 * @returns whether it was sent by this, as it was asked for now or before
 * @throws ProblemError not_found; invalid_state when Stripe does not take it; rate_limited, upstream_unavailable to call again under the same key
 */
export async function submitEvidence(
  till: Till,
  id: string,
  stepKey: string,
  by?: ByAdmin,
): Promise<{ view: DisputeView; isSent: boolean }> {
  const view = await refreshDispute(till, id);
  const begun = await beginSubmission(till.db, id, stepKey, by);
  if (!begun) return { view, isSent: false };
  const { attempt, evidence } = begun;
  const code = await askBank(till, view.dispute, attempt, {
    mark: 'submittedAt',
    isDone: ({ status }) => !awaitsResponse(status),
    send: (key, stripeId) => till.stripe.submitEvidence(key, stripeId, evidence),
  });
  const now = await refreshDispute(till, id);
  if (code !== null && awaitsResponse(now.dispute.status))
    throw new ProblemError('invalid_state', 'Stripe does not take what speaks against it', {
      extras: { stripeCode: code },
    });
  return { view: now, isSent: code === null };
}

/**
 * Gives a dispute up for good: its card's holder keeps the money. One that is given up already stays so.
 * @throws ProblemError not_found; invalid_state when it is over, or only an inquiry; rate_limited, upstream_unavailable
 */
export async function acceptDispute(till: Till, id: string, by: ByAdmin): Promise<DisputeView> {
  const { dispute } = await refreshDispute(till, id);
  const attempt = await beginAcceptance(till.db, id, `dispute:${id}/accept`, by);
  if (!attempt) return refreshDispute(till, id);
  const code = await askBank(till, dispute, attempt, {
    mark: 'acceptedAt',
    isDone: ({ status }) => status === 'lost',
    send: (key, stripeId) => till.stripe.closeDispute(key, stripeId),
  });
  const now = await refreshDispute(till, id);
  if (code !== null) throw new ProblemError('invalid_state', 'Stripe does not let it be given up any more');
  return now;
}

/** What is asked of a bank once. `isDone`: whether the dispute, as Stripe has it, shows that it was. */
interface Asked {
  mark: 'acceptedAt' | 'submittedAt';
  isDone(now: StripeDispute): boolean;
  send(key: string, stripeId: string): Promise<Answer<StripeDispute>>;
}

/** @returns the code of Stripe's refusal; null when it is done, and noted */
async function askBank(
  { db, stripe }: Till,
  dispute: DisputeRow,
  attempt: Attempt,
  { mark, isDone, send }: Asked,
): Promise<string | null> {
  const { stripeDisputeId } = dispute;
  const outcome = await perform(attempt, {
    async find() {
      const now = await stripe.readDispute(stripeDisputeId);
      return now && isDone(now) ? now : null;
    },
    send: (key) => send(key, stripeDisputeId),
    giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
  });
  const code = outcome.kind === 'done' ? null : outcome.code;
  await endAtStripe(db, dispute, { attempt, code, mark });
  return code;
}
