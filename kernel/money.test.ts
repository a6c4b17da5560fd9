import { add, scaleHalfUp, scaleUp, subtract } from './money';

test('half a minor unit rounds up, less rounds down', () => {
  expect(scaleHalfUp(4500, 50, 60)).toBe(3750);
  expect(scaleHalfUp(333, 15, 60)).toBe(83); // 83.25
  expect(scaleHalfUp(3, 1, 2)).toBe(2); // 1.5
  expect(scaleHalfUp(0, 15, 100)).toBe(0);
});

test('a refund share is rounded up to the minor unit', () => {
  expect(scaleUp(4501, 1, 2)).toBe(2251);
  expect(scaleUp(4500, 1, 2)).toBe(2250);
  expect(scaleUp(1, 1, 100)).toBe(1);
  expect(scaleUp(0, 1, 2)).toBe(0);
});

test('amounts beyond the exact range of floats stay exact', () => {
  expect(scaleHalfUp(9_007_199_254_740_991, 1, 1)).toBe(9_007_199_254_740_991);
  expect(scaleHalfUp(99_999_999, 99_999_999, 99_999_999)).toBe(99_999_999);
});

test.each([scaleHalfUp, scaleUp])('a fraction of a minor unit and a division by nothing are refused by %p', (scale) => {
  expect(() => scale(10.5, 1, 2)).toThrow(RangeError);
  expect(() => scale(10, Number.NaN, 2)).toThrow(RangeError);
  expect(() => scale(10, 1, 0)).toThrow(RangeError);
});

test('a refund share and what is left of it never sum to less than the whole, nor to more than one unit above', () => {
  for (let amount = 0; amount < 300; amount++) {
    for (let percent = 0; percent <= 100; percent += 7) {
      const sum = scaleUp(amount, percent, 100) + scaleUp(amount, 100 - percent, 100);
      expect(sum - amount === 0 || sum - amount === 1).toBe(true);
    }
  }
});

test('amounts of one currency are added and subtracted', () => {
  expect(add({ amount: 3, currency: 'EUR' }, { amount: 1, currency: 'EUR' })).toEqual({ amount: 4, currency: 'EUR' });
  expect(subtract({ amount: 3, currency: 'EUR' }, { amount: 1, currency: 'EUR' })).toEqual({
    amount: 2,
    currency: 'EUR',
  });
});

test.each([add, subtract])('amounts of two currencies are never combined by %p', (combine) => {
  expect(() => combine({ amount: 1, currency: 'EUR' }, { amount: 1, currency: 'USD' })).toThrow(RangeError);
});
