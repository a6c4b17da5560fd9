import { entryKindOf, shownBalance } from './rules';

test.each([
  ['capture', 'earned'],
  ['refund_owed', 'refunded'],
  ['refund', 'refunded'],
  ['refund_reversal', 'returned'],
  ['payout_open', 'paid_out'],
  ['payout_cancel', 'payout_returned'],
  ['dispute_frozen', 'disputed'],
  ['dispute_lost', 'disputed'],
  ['dispute_released', 'dispute_returned'],
  ['waived', 'corrected'],
])('the ledger’s %s is %s', (kind, shown) => {
  expect(entryKindOf(kind)).toBe(shown);
});

test('what had to be given back after it was paid out is debt, and nothing is payable', () => {
  const nextAt = new Date(0);
  const rest = { frozen: 5, inPayout: 10, paidOut: 20, minimum: 1_000 };
  expect(shownBalance('EUR', { pending: 300, payable: -200, nextAt, ...rest })).toEqual({
    ...{ currency: 'EUR', pending: 300, payable: 0, debt: 200, nextPayableAt: '1970-01-01T00:00:00.000Z', ...rest },
  });
});
