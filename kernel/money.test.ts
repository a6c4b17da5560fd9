import { chargeableCurrencies, stepOf } from './currencies';
import { add, chargeFault, scaleHalfUp, scaleUp, subtract } from './money';

const EUR = (amount: number) => ({ amount, currency: 'EUR' });

test('half a minor unit rounds up, less rounds down', () => {
  expect(scaleHalfUp(EUR(4500), 50, 60)).toBe(3750);
  expect(scaleHalfUp(EUR(333), 15, 60)).toBe(83); // 83.25
  expect(scaleHalfUp(EUR(3), 1, 2)).toBe(2); // 1.5
  expect(scaleHalfUp(EUR(0), 15, 100)).toBe(0);
});

test('a refund share is rounded up to the minor unit', () => {
  expect(scaleUp(EUR(4501), 1, 2)).toBe(2251);
  expect(scaleUp(EUR(4500), 1, 2)).toBe(2250);
  expect(scaleUp(EUR(1), 1, 100)).toBe(1);
  expect(scaleUp(EUR(0), 1, 2)).toBe(0);
});

test('where Stripe takes no single minor units, a share is rounded to what it takes', () => {
  expect(scaleHalfUp({ amount: 4_510, currency: 'KWD' }, 1, 2)).toBe(2_260); // 2255
  expect(scaleHalfUp({ amount: 4_500, currency: 'KWD' }, 15, 100)).toBe(680); // 675
  expect(scaleUp({ amount: 4_510, currency: 'KWD' }, 1, 3)).toBe(1_510); // 1503.3
  expect(scaleHalfUp({ amount: 4_500_100, currency: 'MGA' }, 1, 2)).toBe(2_250_100); // 2250050
  expect(scaleUp({ amount: 4_501, currency: 'ISK' }, 1, 2)).toBe(2_251); // 2250.5
});

test('amounts beyond the exact range of floats stay exact', () => {
  expect(scaleHalfUp(EUR(9_007_199_254_740_991), 1, 1)).toBe(9_007_199_254_740_991);
  expect(scaleHalfUp(EUR(99_999_999), 99_999_999, 99_999_999)).toBe(99_999_999);
});

test.each([scaleHalfUp, scaleUp])('a fraction of a minor unit and a division by nothing are refused by %p', (scale) => {
  expect(() => scale(EUR(10.5), 1, 2)).toThrow(RangeError);
  expect(() => scale(EUR(10), Number.NaN, 2)).toThrow(RangeError);
  expect(() => scale(EUR(10), 1, 0)).toThrow(RangeError);
});

test('in every currency a refund share and what is left of it sum to the whole or to one step more, and are what Stripe takes', () => {
  const wrong: unknown[] = [];
  for (const currency of chargeableCurrencies()) {
    const step = stepOf(currency);
    for (let steps = 0; steps < 60; steps++) {
      for (let percent = 0; percent <= 100; percent += 7) {
        const amount = steps * step;
        const share = scaleUp({ amount, currency }, percent, 100);
        const rest = scaleUp({ amount, currency }, 100 - percent, 100);
        const fee = scaleHalfUp({ amount, currency }, percent, 100);
        const kept = scaleHalfUp({ amount, currency }, 100 - percent, 100);
        const isTaken = [share, rest, fee, kept].every((part) => part % step === 0);
        const isWhole = [0, step].includes(share + rest - amount);
        // One assertion for all: one for each takes twenty seconds.
        if (!isTaken || !isWhole) wrong.push({ currency, amount, percent, share, rest, fee, kept });
      }
    }
  }
  expect(wrong).toEqual([]);
});

test.each([
  [EUR(50), undefined],
  [EUR(49), 'amount'],
  [{ amount: 30, currency: 'GBP' }, undefined],
  [{ amount: 4_500, currency: 'SEK' }, 'currency'],
  [{ amount: 4_505, currency: 'KWD' }, 'amount'],
  [{ amount: 4_510, currency: 'KWD' }, undefined],
  [{ amount: 1_000_000, currency: 'ISK' }, 'amount'],
  [{ amount: 999_999, currency: 'ISK' }, undefined],
])('%j: what keeps it from being charged is %s', (money, field) => {
  expect(chargeFault(money, ['EUR', 'GBP', 'KWD', 'ISK'])?.field).toBe(field);
});

test('amounts of one currency are added and subtracted', () => {
  expect(add(EUR(3), EUR(1))).toEqual(EUR(4));
  expect(subtract(EUR(3), EUR(1))).toEqual(EUR(2));
});

test.each([add, subtract])('amounts of two currencies are never combined by %p', (combine) => {
  expect(() => combine(EUR(1), { amount: 1, currency: 'USD' })).toThrow(RangeError);
});
