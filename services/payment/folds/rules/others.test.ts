import type { PaymentEvent } from '../../events';
import { foldTransaction } from './ledger';
import { foldPayment } from './payments';
import { foldPayout } from './payouts';
import { foldRefund } from './refunds';

const AT = '2026-03-01T10:00:00.000Z';
const posted: PaymentEvent = {
  type: 'LedgerTransactionPosted',
  at: AT,
  data: {
    ...{ transactionId: 't', paymentId: 'p', payoutId: null, disputeId: null, debtId: null, participantIds: [] },
    ...{ kind: 'stripe_fee', currency: 'EUR', postedAt: AT, entries: [] },
  },
};

test.each([
  ['payment', foldPayment],
  ['refund', foldRefund],
  ['payout', foldPayout],
])('what is told of something else says nothing of a %s', (_, fold) => {
  expect(fold([posted])).toBeNull();
  expect(fold([])).toBeNull();
});

test('a movement is what the last event about it says, and nothing without one', () => {
  expect(foldTransaction([posted])).toMatchObject({ id: 't', kind: 'stripe_fee', entries: '' });
  expect(foldTransaction([])).toBeNull();
});
