import { add, scaleHalfUp, scaleUp, subtract } from './money';

test('half a minor unit rounds up, less rounds down', () => {
  expect(scaleHalfUp(4500, 50, 60)).toBe(3750);
  expect(scaleHalfUp(333, 15, 60)).toBe(83); // 83.25
  expect(scaleHalfUp(3, 1, 2)).toBe(2); // 1.5
});

test('a refund share is rounded up to the minor unit', () => {
  expect(scaleUp(4501, 1, 2)).toBe(2251);
  expect(scaleUp(4500, 1, 2)).toBe(2250);
});

test('amounts beyond the exact range of floats stay exact', () => {
  expect(scaleHalfUp(9_007_199_254_740_991, 1, 1)).toBe(9_007_199_254_740_991);
});

test('amounts of two currencies are never combined', () => {
  expect(() => add({ amount: 1, currency: 'EUR' }, { amount: 1, currency: 'USD' })).toThrow(RangeError);
  expect(subtract({ amount: 3, currency: 'EUR' }, { amount: 1, currency: 'EUR' })).toEqual({
    amount: 2,
    currency: 'EUR',
  });
});
