import { isForOperator } from './rules';

const DAY_MS = 86_400_000;

describe('an operator is shown', () => {
  test.each([
    ['EUR', 20_000],
    ['USD', 20_000],
    ['JPY', 30_000],
    ['KRW', 300_000],
    ['KWD', 60_000],
    ['HUF', 8_000_000],
  ])('a debt in %s from %i minor units on, however young', (currency, amount) => {
    expect(isForOperator({ amount, currency, ageMs: 0 })).toBe(true);
    expect(isForOperator({ amount: amount - 1, currency, ageMs: 0 })).toBe(false);
  });

  test('any debt from its ninetieth day on', () => {
    expect(isForOperator({ amount: 1, currency: 'EUR', ageMs: 90 * DAY_MS })).toBe(true);
    expect(isForOperator({ amount: 19_999, currency: 'EUR', ageMs: 90 * DAY_MS - 1 })).toBe(false);
  });
});
