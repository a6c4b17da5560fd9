import { refusal } from '../../../tests/support/tutors';
import type { PricingOption } from '../contract';
import { lowestHourly, priceFault, pricingErrors, rulesUnder, sessionPrice, withIds } from './prices';

const eur = (amount: number) => ({ amount, currency: 'EUR' });
const hourly = (amount: number, id = 'a') => ({ id, kind: 'hourly' as const, price: eur(amount) });

describe('prices', () => {
  test.each([
    [4500, 60, 4500],
    [4500, 30, 2250],
    [4501, 30, 2251], // 2250.5
    [4501, 90, 6752], // 6751.5
    [3333, 45, 2500], // 2499.75
    [3331, 45, 2498], // 2498.25
    [100, 60, 100],
    [24_999_999, 240, 99_999_996],
  ])('%i an hour for %i minutes are %i', (price, minutes, amount) => {
    expect(sessionPrice([hourly(price)], minutes)).toEqual(eur(amount));
  });

  test('a session that costs less or more than can be charged is refused', () => {
    expect(refusal(() => sessionPrice([hourly(98)], 30))?.paths).toEqual(['durationMinutes']);
    expect(sessionPrice([hourly(99)], 30)).toEqual(eur(50));
    expect(refusal(() => sessionPrice([hourly(25_000_000)], 240))?.paths).toEqual(['durationMinutes']);
  });

  test.each([
    ['KWD', 4_510, 30, 2_260], // 2255: the last digit is 0 at Stripe
    ['KWD', 4_510, 45, 3_380], // 3382.5
    ['MGA', 4_500_100, 30, 2_250_100], // 2250050: Stripe takes whole ariary
    ['ISK', 4_501, 30, 2_251],
    ['JPY', 4_501, 30, 2_251],
  ])('in %s, %i an hour for %i minutes are %i', (currency, amount, minutes, expected) => {
    const option = { id: 'a', kind: 'hourly' as const, price: { amount, currency } };
    expect(sessionPrice([option], minutes)).toEqual({ amount: expected, currency });
  });

  test.each([
    ['hourly', 100, 'EUR', undefined],
    ['hourly', 98, 'EUR', 'amount'],
    ['package', 98, 'EUR', undefined],
    ['package', 49, 'EUR', 'amount'],
    ['hourly', 34_998, 'HUF', 'amount'],
    ['hourly', 35_000, 'HUF', undefined],
    ['hourly', 4_505, 'KWD', 'amount'],
    ['hourly', 1_000_000, 'ISK', 'amount'],
    ['hourly', 4_500, 'SEK', 'currency'],
  ] as const)('what keeps a price (%s, %i %s) from being charged is %s', (kind, amount, currency, field) => {
    expect(priceFault({ kind, price: { amount, currency } }, ['EUR', 'HUF', 'KWD', 'ISK'])?.field).toBe(field);
  });

  test('other currencies are other rules, in whatever order', () => {
    expect(rulesUnder(['USD', 'EUR'])).toBe(rulesUnder(['EUR', 'USD']));
    expect(rulesUnder(['EUR'])).not.toBe(rulesUnder(['EUR', 'USD']));
  });

  test('the first hourly option counts unless another is chosen', () => {
    const bundle: PricingOption = { id: 'p', kind: 'package', price: eur(9000), sessions: 3 };
    const options = [bundle, hourly(4000, 'first'), hourly(5000, 'second')];
    expect(sessionPrice(options, 60).amount).toBe(4000);
    expect(sessionPrice(options, 60, 'second').amount).toBe(5000);
    for (const wrong of ['p', 'unknown'])
      expect(refusal(() => sessionPrice(options, 60, wrong))?.paths).toEqual(['pricingOptionId']);
    expect(refusal(() => sessionPrice([bundle], 60))?.paths).toEqual(['pricingOptionId']);
  });

  test('a tutor is found by the lowest hourly price, packages aside', () => {
    expect(lowestHourly([hourly(5000), hourly(4000)])).toBe(4000);
    expect(lowestHourly([{ kind: 'package', price: eur(100) }])).toBeNull();
    expect(lowestHourly([])).toBeNull();
  });

  test('an option that stays keeps its id, wherever it stands', () => {
    const before: PricingOption[] = [hourly(4000, 'old'), { id: 'p', kind: 'package', price: eur(9000), sessions: 3 }];
    const wanted = [
      { kind: 'package' as const, price: eur(9000), sessions: 3 },
      { kind: 'package' as const, price: eur(9000), sessions: 4 },
      { kind: 'hourly' as const, price: eur(4000), label: 'Exams' },
      { kind: 'hourly' as const, price: eur(4000) },
    ];
    expect(withIds(wanted, before, () => 'new').map(({ id }) => id)).toEqual(['p', 'new', 'new', 'old']);
  });

  test('all options are in one currency and differ', () => {
    const usd = { kind: 'hourly' as const, price: { amount: 4000, currency: 'USD' } };
    const paths = (...options: Parameters<typeof pricingErrors>[0]['options']) =>
      pricingErrors({ options }, ['EUR', 'USD']).map(({ path }) => path);
    expect(paths(hourly(4000), usd)).toEqual(['options.1.price.currency']);
    expect(paths(hourly(4000), hourly(4000, 'b'))).toEqual(['options.1']);
    expect(paths(hourly(4000), hourly(4001))).toEqual([]);
    expect(paths()).toEqual([]);
  });
});
