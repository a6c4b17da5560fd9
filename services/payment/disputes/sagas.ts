import type { Sagas } from '../../../platform/temporal';
import { disputeChanged, disputeSaga } from '../../../workflows/dispute.api';
import { bookingIdOf } from '../charges/rules';
import type { PaymentRow } from '../charges/store/payments';
import { wakeRefundSagas } from '../refunds/sagas';
import { listRefunds } from '../refunds/store/refunds';
import type { StripeEvent } from '../stripe/answers';
import type { Till } from '../till';
import { refreshDisputed } from './dispute';
import { unseenDisputes } from './store/disputes';
import type { Recorded } from './store/record';

/** Whether an event may concern a dispute. What has become of it Stripe is asked. */
export function isOfDispute({ account, type, objectId }: StripeEvent): boolean {
  return account === null && objectId !== null && /^charge\.dispute\./.test(type);
}

/**
 * Acts on such an event: asks Stripe what is true, and tells the sagas. What the event says does not count.
 * `again`: the event came before, and how far that got is unknown. @throws ProblemError rate_limited, upstream_unavailable: Stripe shall send the event again
 */
export async function actOnDispute(
  till: Till,
  sagas: Sagas,
  { objectId }: StripeEvent,
  { again }: { again: boolean },
): Promise<void> {
  const said = objectId === null ? null : await till.stripe.readDispute(objectId);
  for (const one of await refreshDisputed(till, said?.intentId))
    if (again || one.isNews) await wakeDispute(till, sagas, one);
}

/** Tells a dispute's saga, and those of its payment's refunds, and starts them where there are none. @throws ProblemError upstream_unavailable */
export async function wakeDispute(
  { db }: Pick<Till, 'db'>,
  sagas: Sagas,
  { dispute, payment }: Pick<Recorded, 'dispute' | 'payment'>,
): Promise<void> {
  const { id: disputeId, paymentId, version } = dispute;
  const input = { disputeId, paymentId, bookingId: bookingIdOf(payment), payeeId: payment.payeeId };
  await sagas.wake(disputeSaga, input, disputeChanged, { disputeId, version });
  await wakeRefundsOf({ db }, sagas, payment);
}

/**
 * Tells the sagas of a payment's refunds what has become of a dispute: some wait for it, and others see that the bank's money has covered them,
 * so that nobody is owed them any more. @throws ProblemError upstream_unavailable
 */
export async function wakeRefundsOf({ db }: Pick<Till, 'db'>, sagas: Sagas, payment: PaymentRow): Promise<void> {
  const refunds = await listRefunds(db, payment.id);
  await wakeRefundSagas(
    sagas,
    payment,
    refunds.filter(({ status, closedAs }) => closedAs !== status),
  );
}

/** Wakes the sagas of a payment's disputes that came to light beside another thing, not by a webhook of their own. @throws ProblemError upstream_unavailable */
export async function wakeUnseenDisputes({ db }: Pick<Till, 'db'>, sagas: Sagas, payment: PaymentRow): Promise<void> {
  for (const dispute of await unseenDisputes(db, payment.id)) await wakeDispute({ db }, sagas, { dispute, payment });
}
