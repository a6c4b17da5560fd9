import { uuidv7 } from '../../platform/ids';
import { requestPayment } from '../../services/payment/charges/store/requests';
import { paymentContract as payment } from '../../services/payment/contract';
import { requestPayout } from '../../services/payment/payouts/store/opening';
import { eur } from './bookings';
import type { SagaStack } from './saga-stack';
import { call, succeed } from './undo';

const BANK = { currency: 'eur', country: 'DE', account_number: 'DE89370400440532013000' };

/** A payout of somebody who has earned it and told Stripe all it asks, before its saga. `payeeId`: whom payment is to know by it. */
export async function openedPayout({ payment: service, sandbox }: SagaStack, payee: { userId: string; email: string }) {
  const { userId: payeeId } = payee;
  const { db, sql } = service.database;
  const account = { ...payee, role: 'tutor', name: 'Grace' };
  await succeed(call(service, payment.createAccount, { body: account }, `user:${payeeId}/account`));
  const [{ stripe_id: stripeId } = { stripe_id: '' }] = await sql<{ stripe_id: string }[]>`
    select stripe_id from stripe_accounts where user_id = ${payeeId}`;
  await succeed(sandbox('POST', `/accounts/${stripeId}/onboarding`, { banks: [BANK] }));

  const {
    PLATFORM_FEE_PERCENT: feePercent,
    SETTLEMENT_CURRENCIES: settling,
    payoutMinimums: minimums,
  } = service.config;
  const wanted = { payeeId, amount: eur(4500), paymentMethodId: 'pm_card_visa', description: 'Books' };
  const asked = () => ({ owner: uuidv7(), key: uuidv7(), fingerprint: 'wanted', instance: uuidv7() });
  const { resourceId: id } = await requestPayment(db, asked(), uuidv7(), wanted, { feePercent, settling });
  await succeed(call(service, payment.chargePayment, { params: { id } }, `payment:${id}/charge`));
  const body = { notBefore: '2026-01-01T00:00:00.000Z' };
  await succeed(call(service, payment.releaseEarnings, { params: { id }, body }, `payment:${id}/release-earnings`));
  const claimed = await requestPayout(db, asked(), payeeId, {}, { minimums, isConnected: true });
  if (claimed.kind !== 'run') throw new Error('The payout was not opened');
  return { service, payoutId: claimed.resourceId };
}
