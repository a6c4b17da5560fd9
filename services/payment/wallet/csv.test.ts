import type { WalletEntry } from '../contract';
import { csvOf } from './csv';

const entry = (more: Partial<WalletEntry>): WalletEntry => ({
  ...{ id: 'e1', at: '2026-11-29T10:00:00.000Z', kind: 'earned', currency: 'EUR', amount: 3_400, balanceAfter: 3_400 },
  ...{ paymentId: 'p1', bookingId: null, payoutId: null, disputeId: null },
  ...more,
});

test('has its columns on top and a line for each movement', () => {
  expect(
    csvOf([
      entry({}),
      entry({ id: 'e2', kind: 'paid_out', amount: -3_400, balanceAfter: 0, paymentId: null, payoutId: 'o1' }),
    ]),
  ).toBe(
    'at,kind,currency,amount,balance_after,payment_id,booking_id,payout_id,dispute_id,id\r\n' +
      '2026-11-29T10:00:00.000Z,earned,EUR,34.00,34.00,p1,,,,e1\r\n' +
      '2026-11-29T10:00:00.000Z,paid_out,EUR,-34.00,0.00,,,o1,,e2\r\n',
  );
});

test.each([
  ['EUR', 5, '0.05'],
  ['EUR', -123_456, '-1234.56'],
  ['JPY', 3_400, '3400'],
  ['KRW', -15_000, '-15000'],
  ['KWD', 1_250, '1.250'],
  ['ISK', 1_500, '1500'],
  ['UGX', 40_000, '40000'],
])('%s of %i minor units is %s', (currency, amount, shown) => {
  expect(csvOf([entry({ currency, amount })]).split('\r\n')[1]).toContain(`,${currency},${shown},`);
});
