import {
  CURRENCIES,
  chargeableCurrencies,
  digitsOf,
  fromStripe,
  isChargeable,
  leastOf,
  MOST_MINOR_UNITS,
  mostOf,
  stepOf,
  stripeEntry,
  toStripe,
} from './currencies';

test.each([
  // code, ISO digits, step, least, and what ten of the main unit are to ISO 4217 and to Stripe
  ['EUR', 2, 1, 50, 1_000, 1_000],
  ['GBP', 2, 1, 30, 1_000, 1_000],
  ['HUF', 2, 1, 17_500, 1_000, 1_000],
  ['IDR', 2, 1, 50, 1_000, 1_000],
  ['JPY', 0, 1, 50, 10, 10],
  ['KRW', 0, 1, 50, 10, 10],
  // Without minor units, and hundredths at Stripe all the same.
  ['ISK', 0, 1, 1, 10, 1_000],
  ['UGX', 0, 1, 1, 10, 1_000],
  // Two digits, and whole units at Stripe.
  ['MGA', 2, 100, 5_000, 1_000, 10],
  // Three digits, the last of which is 0.
  ['KWD', 3, 10, 50, 10_000, 10_000],
  ['TND', 3, 10, 50, 10_000, 10_000],
])(
  '%s has %i digits, a step of %i and a least of %i, and ten of it are %i, at Stripe %i',
  (code, digits, step, least, amount, atStripe) => {
    expect([digitsOf(code), stepOf(code), leastOf(code)]).toEqual([digits, step, least]);
    expect(amount).toBe(10 * 10 ** digits);
    expect(toStripe({ amount, currency: code })).toBe(atStripe);
    expect(fromStripe(atStripe, code)).toBe(amount);
  },
);

test('in every currency what can be charged is whole at Stripe, between its least and its eight digits, and comes back the same', () => {
  for (const currency of chargeableCurrencies()) {
    const [step, least, most] = [stepOf(currency), leastOf(currency), mostOf(currency)];
    const atStripe = stripeEntry(currency);
    expect(CURRENCIES.includes(currency)).toBe(true);
    for (const amount of [least, least + step, most - step, most]) {
      const sent = toStripe({ amount, currency });
      expect({ currency, amount: fromStripe(sent, currency) }).toEqual({ currency, amount });
      expect({ currency, over: sent % (atStripe?.step ?? 0) }).toEqual({ currency, over: 0 });
      expect(sent).toBeGreaterThanOrEqual(atStripe?.least ?? Number.NaN);
      expect(sent).toBeLessThanOrEqual(MOST_MINOR_UNITS);
    }
    expect(least % step).toBe(0);
    expect(most).toBeLessThanOrEqual(MOST_MINOR_UNITS);
  }
});

test('what has no minor units is no currency, and what Stripe does not charge settles nothing', () => {
  expect(['XDR', 'XAU', 'XTS', 'EUX', 'eur', ''].filter((code) => CURRENCIES.includes(code))).toEqual([]);
  expect(['KPW', 'IQD', 'CUP', 'CLF', 'XDR'].filter(isChargeable)).toEqual([]);
  expect(['KPW', 'IQD', 'CUP', 'CLF'].filter((code) => CURRENCIES.includes(code))).toHaveLength(4);
});

test('a currency of before can still be shown', () => {
  expect([digitsOf('DEM'), stepOf('DEM'), toStripe({ amount: 5, currency: 'DEM' }), fromStripe(5, 'DEM')]).toEqual([
    2, 1, 5, 5,
  ]);
});

test('a fee that is no whole amount is rounded half up, also one that is given back', () => {
  expect([fromStripe(1_249, 'ISK'), fromStripe(1_250, 'ISK'), fromStripe(-50, 'ISK')]).toEqual([12, 13, 0]);
});
