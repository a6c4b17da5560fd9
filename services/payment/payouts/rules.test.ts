import { chargeableCurrencies, leastOf, stepOf } from '../../../kernel/currencies';
import { PAYOUT_REASONS, PAYOUT_STATUSES } from '../../../kernel/statuses';
import { reachable } from '../../../kernel/transitions';
import {
  type BankAccount,
  bankFor,
  failureText,
  PAYOUT_TRANSITIONS,
  payoutMinimum,
  payoutStatusAfter,
  payoutText,
  reasonAfterWait,
  reasonOfRefusal,
  waitAfterRefusal,
  waitOf,
  wholeSteps,
} from './rules';

test('every state can be reached, and failed and cancelled are the last', () => {
  expect([...reachable(PAYOUT_TRANSITIONS, 'pending')].sort()).toEqual([...PAYOUT_STATUSES].sort());
  expect(payoutStatusAfter('completed', 'processing')).toBe('completed');
  expect(payoutStatusAfter('failed', 'completed')).toBe('failed');
  expect(payoutStatusAfter('completed', 'failed')).toBe('failed');
});

describe('what is paid out at least', () => {
  test.each([
    ['EUR', 1_000],
    ['USD', 1_000],
    ['JPY', 1_500],
    ['KRW', 15_000],
    ['KWD', 3_000],
    ['ISK', 1_500],
    ['UGX', 40_000],
    ['HUF', 400_000],
  ])('of %s is %i minor units', (currency, least) => {
    expect(payoutMinimum(currency, new Map())).toBe(least);
  });

  test('is a setting, and can always be moved by Stripe', () => {
    expect(payoutMinimum('EUR', new Map([['EUR', 2_500]]))).toBe(2_500);
    expect(payoutMinimum('EUR', new Map([['EUR', 1]]))).toBe(leastOf('EUR'));
    for (const currency of chargeableCurrencies())
      expect([currency, payoutMinimum(currency, new Map()) % stepOf(currency)]).toEqual([currency, 0]);
  });
});

test.each([
  ['KWD', 12_345, 12_340],
  ['EUR', 12_345, 12_345],
  ['EUR', -5, 0],
])('of %s %i Stripe moves %i', (currency, amount, moved) => {
  expect(wholeSteps(amount, currency)).toBe(moved);
});

describe('what a payout waits for', () => {
  const account = { detailsSubmitted: true, isPaid: true, currentlyDue: [], disabledReason: null };
  const bank: BankAccount = { id: 'ba_1', currency: 'EUR', isDefault: true, isUsable: true };
  const money = { amount: 1_000, currency: 'EUR' };

  test.each([
    ['awaiting_onboarding', null, [bank], 5_000],
    ['awaiting_onboarding', { ...account, isPaid: false }, [bank], 5_000],
    ['awaiting_bank_account', account, [], 5_000],
    ['awaiting_bank_account', account, [{ ...bank, currency: 'USD' }], 5_000],
    ['awaiting_bank_account', account, [{ ...bank, isUsable: false }], 5_000],
    ['awaiting_funds', account, [bank], 999],
    [null, account, [bank], 1_000],
  ] as const)('%s', (wait, facts, banks, available) => {
    expect(waitOf(money, facts && { ...facts, currentlyDue: [] }, banks, available)).toBe(wait);
  });

  test('goes to the default account of its currency, else to any', () => {
    const other = { ...bank, id: 'ba_2', isDefault: false };
    expect(bankFor('EUR', [other, bank])?.id).toBe('ba_1');
    expect(bankFor('EUR', [other])?.id).toBe('ba_2');
    expect(bankFor('GBP', [other])).toBeUndefined();
  });

  test.each([
    ['balance_insufficient', 'awaiting_funds'],
    ['insufficient_capabilities_for_transfer', 'awaiting_onboarding'],
    ['account_invalid', 'awaiting_onboarding'],
    ['parameter_invalid', null],
  ])('after Stripe’s %s: %s', (code, wait) => {
    expect(waitAfterRefusal(code)).toBe(wait);
  });

  test.each([
    ['awaiting_onboarding', 'not_onboarded'],
    ['awaiting_bank_account', 'no_bank_account'],
    ['awaiting_funds', 'no_funds'],
    ['refused_by_stripe', 'refused_by_stripe'],
    [null, null],
  ] as const)('%s in vain: %s', (wait, reason) => {
    expect(reasonAfterWait(wait)).toBe(reason);
  });
});

test.each([
  ['invalid_request_error', 'no_bank_account'],
  ['bank_account_unusable', 'no_bank_account'],
  ['payouts_not_allowed', 'not_onboarded'],
  ['balance_insufficient', 'refused_by_stripe'],
] as const)('Stripe’s %s is %s', (code, reason) => {
  expect(reasonOfRefusal(code)).toBe(reason);
});

test('every state and reason has a sentence, and so has every failure', () => {
  for (const status of PAYOUT_STATUSES) expect(payoutText({ status, statusReason: null })).toMatch(/\.$/);
  for (const statusReason of PAYOUT_REASONS) expect(payoutText({ status: 'pending', statusReason })).toMatch(/\.$/);
  for (const code of ['account_closed', 'something_new']) expect(failureText(code)).toMatch(/\.$/);
});
