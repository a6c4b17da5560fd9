// What ISO 4217 and Stripe say of each currency, once: schemas, mails, the door to Stripe and its sandbox go by this table alone.
// Amounts are in minor units of ISO 4217 everywhere but on the wire to Stripe, which counts a few currencies otherwise.

/** The largest amount of one price, charge or refund, in minor units: Stripe's eight digits (docs.stripe.com/currencies). */
export const MOST_MINOR_UNITS = 99_999_999;

const codes = (list: string): readonly string[] => list.split(/\s+/);

/** ISO 4217, list one: the codes by their digits after the point. What has none defined (gold, XDR, test codes) is no money to be paid. */
const BY_DIGITS: readonly (readonly [digits: number, list: readonly string[]])[] = [
  [0, codes('BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF')],
  [
    2,
    codes(
      `AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
      CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS
      INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN
      NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC
      SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG`,
    ),
  ],
  [3, codes('BHD IQD JOD KWD LYD OMR TND')],
  [4, codes('CLF UYW')],
];

/** What Stripe charges in (docs.stripe.com/currencies#presentment-currencies), the three-decimal ones included. */
const CHARGEABLE = codes(
  `USD AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY
  COP CRC CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD
  JPY KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO
  NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TND TOP
  TRY TTD TWD TZS UAH UGX UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW`,
);
/** Stripe counts these in whole units (docs.stripe.com/currencies#zero-decimal); MGA has two digits in ISO 4217. */
const WHOLE_AT_STRIPE = codes('BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF');
/** Without minor units, and yet counted in hundredths that are always 00 (docs.stripe.com/currencies#special-cases). */
const HUNDREDTHS_OF_NOTHING = codes('ISK UGX');
/** Three digits, the last of which has to be 0 (docs.stripe.com/currencies#three-decimal). */
const THREE_AT_STRIPE = codes('BHD JOD KWD OMR TND');

/** The least Stripe charges, as Stripe counts (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts); 50 in all others. */
const LEAST_AT_STRIPE: ReadonlyMap<string, number> = new Map(
  Object.entries({
    AED: 200,
    BGN: 100,
    CZK: 1_500,
    DKK: 250,
    GBP: 30,
    HKD: 400,
    HUF: 17_500,
    MXN: 1_000,
    MYR: 200,
    NOK: 300,
    PLN: 200,
    RON: 200,
    SEK: 300,
    THB: 1_000,
  }),
);
const LEAST_AT_STRIPE_OF_OTHERS = 50;

interface AtStripe {
  /** Digits after the point of the amounts that are sent. */
  digits: number;
  /** What an amount has to be a multiple of, and at least, as Stripe counts. */
  step: number;
  least: number;
}

interface Entry {
  digits: number;
  /** Undefined where Stripe does not charge. */
  atStripe: AtStripe | undefined;
}

const TABLE: ReadonlyMap<string, Entry> = new Map(
  BY_DIGITS.flatMap(([digits, list]) =>
    list.map((code): [string, Entry] => [
      code,
      { digits, atStripe: CHARGEABLE.includes(code) ? stripeOf(code) : undefined },
    ]),
  ),
);

function stripeOf(code: string): AtStripe {
  const [digits, step] = WHOLE_AT_STRIPE.includes(code)
    ? [0, 1]
    : HUNDREDTHS_OF_NOTHING.includes(code)
      ? [2, 100]
      : THREE_AT_STRIPE.includes(code)
        ? [3, 10]
        : [2, 1];
  const least = LEAST_AT_STRIPE.get(code) ?? LEAST_AT_STRIPE_OF_OTHERS;
  return { digits, step, least: upTo(step, least) };
}

/** The codes of all currencies of ISO 4217 with minor units. */
export const CURRENCIES: readonly string[] = [...TABLE.keys()].toSorted();

/** Whether Stripe charges in a currency, so that it can be one of those that settle. */
export function isChargeable(code: string): boolean {
  return stripeEntry(code) !== undefined;
}

/** Digits after the point of a currency; 2 for what is none today, so that what was stored once can be shown. */
export function digitsOf(code: string): number {
  return TABLE.get(code)?.digits ?? 2;
}

/** What every amount of a currency is a multiple of, in minor units, so that Stripe can charge and refund it. */
export function stepOf(code: string): number {
  const atStripe = stripeEntry(code);
  return atStripe ? Math.max(1, fromStripe(atStripe.step, code)) : 1;
}

/** The least that can be charged in a currency, in minor units: a multiple of its step. */
export function leastOf(code: string): number {
  const atStripe = stripeEntry(code);
  return upTo(stepOf(code), atStripe ? fromStripe(atStripe.least, code) : LEAST_AT_STRIPE_OF_OTHERS);
}

/** The most that can be charged in a currency, in minor units: a multiple of its step. */
export function mostOf(code: string): number {
  const step = stepOf(code);
  const most = Math.min(MOST_MINOR_UNITS, MOST_MINOR_UNITS * unitsPerStripeUnit(code));
  return Math.floor(most / step) * step;
}

/** An amount of minor units as Stripe counts it. Exact for every multiple of the currency's step. */
export function toStripe({ amount, currency }: { amount: number; currency: string }): number {
  return Math.round(amount / unitsPerStripeUnit(currency));
}

/** An amount that Stripe names, in minor units. Only a fee in a currency without minor units may be no whole number: a half counts up. */
export function fromStripe(amount: number, code: string): number {
  return Math.floor(amount * unitsPerStripeUnit(code) + 0.5);
}

/** How Stripe counts a currency, for its sandbox. Undefined where it does not charge. */
export function stripeEntry(code: string): AtStripe | undefined {
  return TABLE.get(code)?.atStripe;
}

/** The codes of all currencies that Stripe charges in. */
export function chargeableCurrencies(): readonly string[] {
  return CHARGEABLE;
}

function unitsPerStripeUnit(code: string): number {
  const digits = digitsOf(code);
  return 10 ** (digits - (stripeEntry(code)?.digits ?? digits));
}

function upTo(step: number, amount: number): number {
  return Math.ceil(amount / step) * step;
}
