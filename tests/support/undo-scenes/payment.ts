import { uuidv7 } from '../../../platform/ids';
import { requestPayment } from '../../../services/payment/charges/store/requests';
import { paymentContract as payment } from '../../../services/payment/contract';
import { eur } from '../bookings';
import type { SagaStack } from '../saga-stack';
import { call, type Pair, succeed } from '../undo';
import { moneyLeft, refundOf } from '../undo-money';
import { uniqueEmail } from '../users';

export const PAIRS: Record<string, Pair> = {
  'payment: charge': {
    step: payment.chargePayment,
    undo: payment.settlePayment,
    async prepare(stack) {
      const { service, key, params, left } = await directPayment(stack);
      return { service, key: `${key}/charge`, does: { params }, undoes: { params }, left };
    },
  },
  'payment: refund, settled by hand': {
    step: payment.createRefund,
    undo: payment.settlePaymentByHand,
    async prepare(stack) {
      const { service, key, params } = await directPayment(stack);
      await succeed(call(service, payment.chargePayment, { params }, `${key}/charge`));
      return { service, key: `${key}/refund`, ...refundOf(service, params.id, params) };
    },
  },
};

export const FORWARD_ONLY: Record<string, string> = {
  abandonPayment: 'part of the end of a charge, whose undo settles it',
  releaseEarnings: 'after the pivot, final',
};

async function directPayment(stack: SagaStack) {
  const { payment: service } = stack;
  const [payerId, payeeId] = [uuidv7(), uuidv7()];
  const payee = { userId: payeeId, role: 'tutor', email: uniqueEmail(), name: 'Grace' };
  await succeed(call(service, payment.createAccount, { body: payee }, `user:${payeeId}/account`));
  const wanted = { payeeId, amount: eur(4500), paymentMethodId: 'pm_card_visa', description: 'Books' };
  const request = { owner: payerId, key: uuidv7(), fingerprint: 'wanted' };
  const { PLATFORM_FEE_PERCENT: feePercent, SETTLEMENT_CURRENCIES: settling } = service.config;
  const terms = { feePercent, settling };
  const { resourceId: id } = await requestPayment(service.database.db, request, payerId, wanted, terms);
  const left = () => moneyLeft(stack, id, 'paymentId', payeeId);
  return { service, key: `payment:${id}`, params: { id }, left };
}
