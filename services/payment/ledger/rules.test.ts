import { isDeepStrictEqual } from 'node:util';
import { stepOf } from '../../../kernel/currencies';
import {
  accountName,
  accountOf,
  captureEntries,
  type Entry,
  givenUpEntries,
  owedEntries,
  refundEntries,
  releaseEntries,
  type Shares,
  strayEntries,
  stripeFeeEntries,
} from './rules';

const sum = (entries: readonly Entry[]) => entries.reduce((total, { amount }) => total + amount, 0);

/** Applies postings to the accounts of one payment. */
function book() {
  const balances = new Map<string, number>();
  const left = (account: string) => 0 - (balances.get(account) ?? 0);
  return {
    post(entries: readonly Entry[]): readonly Entry[] {
      const isSound = sum(entries) === 0 && entries.every(({ amount }) => Number.isInteger(amount) && amount !== 0);
      if (!isSound) throw new Error(`an unsound posting: ${JSON.stringify(entries)}`);
      for (const { account, amount } of entries) balances.set(account, (balances.get(account) ?? 0) + amount);
      return entries;
    },
    shares: (): Shares => ({
      pending: left('tutor_pending:t'),
      payable: left('tutor_payable:t'),
      revenue: left('platform_revenue'),
    }),
    owed: () => left('payer_owed:p'),
    held: () => balances.get('stripe_balance') ?? 0,
  };
}

test('an account’s name says its kind and whose it is, and what is no account is refused', () => {
  for (const name of ['stripe_balance', 'tutor_pending:t']) expect(accountName(accountOf(name))).toBe(name);
  expect(accountOf('stripe_balance').ownerId).toBeNull();
  expect(() => accountOf('petty_cash:t')).toThrow('no account petty_cash');
});

test('a capture debits what Stripe holds and credits tutor and platform', () => {
  expect(captureEntries(4500, 675, 't')).toEqual([
    { account: 'stripe_balance', amount: 4500 },
    { account: 'tutor_pending:t', amount: -3825 },
    { account: 'platform_revenue', amount: -675 },
  ]);
});

test('a side that gets nothing has no entry', () => {
  expect(captureEntries(100, 0, 't')).toHaveLength(2);
  expect(captureEntries(100, 100, 't').map(({ account }) => account)).toEqual(['stripe_balance', 'platform_revenue']);
  expect(stripeFeeEntries(0)).toEqual([]);
  expect(releaseEntries(0, 't')).toEqual([]);
});

test('Stripe’s fee leaves the balance; one given back returns to it', () => {
  expect(stripeFeeEntries(88)).toEqual([
    { account: 'stripe_fees', amount: 88 },
    { account: 'stripe_balance', amount: -88 },
  ]);
  expect(stripeFeeEntries(-88)).toEqual([
    { account: 'stripe_fees', amount: -88 },
    { account: 'stripe_balance', amount: 88 },
  ]);
});

test('what is promised to the payer comes from pending earnings first, then from payable ones', () => {
  const terms = { id: 'p', currency: 'EUR', captured: 1000, fee: 150, tutorId: 't' };
  expect(owedEntries(400, terms, { pending: 200, payable: 650, revenue: 150 })).toEqual([
    { account: 'platform_revenue', amount: 60 },
    { account: 'tutor_pending:t', amount: 200 },
    { account: 'tutor_payable:t', amount: 140 },
    { account: 'payer_owed:p', amount: -400 },
  ]);
});

test('a refund sends what is owed, and is owed again when it comes back', () => {
  expect([...refundEntries(400, 'p'), ...refundEntries(-400, 'p')]).toEqual([
    { account: 'payer_owed:p', amount: 400 },
    { account: 'stripe_balance', amount: -400 },
    { account: 'payer_owed:p', amount: -400 },
    { account: 'stripe_balance', amount: 400 },
  ]);
});

test('what an operator gives up is the platform’s, which paid it by other means, and never the tutor’s', () => {
  expect(givenUpEntries(400, 'p')).toEqual([
    { account: 'payer_owed:p', amount: 400 },
    { account: 'platform_revenue', amount: -400 },
  ]);
  // And what is refunded after that is taken from there first.
  const terms = { id: 'p', currency: 'EUR', captured: 1000, fee: 150, tutorId: 't' };
  expect(owedEntries(300, terms, { pending: 510, payable: 0, revenue: 490 })).toEqual([
    { account: 'platform_revenue', amount: 300 },
    { account: 'payer_owed:p', amount: -300 },
  ]);
});

test('money that was taken twice is parked with the platform', () => {
  expect([...strayEntries(100), ...strayEntries(-100)]).toEqual([
    { account: 'stripe_balance', amount: 100 },
    { account: 'platform_revenue', amount: -100 },
    { account: 'stripe_balance', amount: -100 },
    { account: 'platform_revenue', amount: 100 },
  ]);
});

test.each(['EUR', 'JPY', 'ISK', 'KWD', 'MGA'])(
  'refunds in %s in any split, some coming back and some given up, never overdraw an account and end exactly at zero',
  (currency) => {
    const step = stepOf(currency);
    let state = 42;
    const below = (limit: number) => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
      return state % limit;
    };
    /** From one step to `most`, which is a number of steps. */
    const upTo = (most: number) => step * (1 + below(most / step));
    // One assertion for all: one for each takes a minute.
    const wrong: unknown[] = [];
    const expectSame = (round: number, is: unknown, wanted: unknown) => {
      if (!isDeepStrictEqual(is, wanted)) wrong.push({ round, is, wanted });
    };
    for (let round = 0; round < 500; round++) {
      const captured = upTo(5_000 * step);
      const fee = step * below(captured / step + 1);
      const books = book();
      books.post(captureEntries(captured, fee, 't'));
      let least = 0;
      const inShares = () => Object.values(books.shares()).reduce((sum, share) => sum + share);
      const owe = (amount: number) => {
        books.post(owedEntries(amount, { id: 'p', currency, captured, fee, tutorId: 't' }, books.shares()));
        // What a tutor is to be paid is an amount that Stripe transfers.
        const parts = Object.values(books.shares()).filter((share) => share % step !== 0);
        expectSame(round, parts, []);
        least = Math.min(least, ...Object.values(books.shares()));
      };
      const send = (amount: number) => books.post(refundEntries(amount, 'p'));
      for (let step = 0; step < 10; step++) {
        const deed = below(6);
        if (deed === 0 && books.owed() > 0) books.post(givenUpEntries(upTo(books.owed()), 'p'));
        else if (deed === 1) books.post(releaseEntries(books.shares().pending, 't'));
        else if (deed === 2 && books.held() < captured) send(-upTo(captured - books.held()));
        else if (deed === 3 && books.owed() > 0) send(upTo(books.owed()));
        else if (inShares() > 0) owe(upTo(inShares()));
        expectSame(round, inShares() + books.owed(), books.held());
      }
      if (inShares() > 0) owe(inShares());
      if (books.owed() > 0) send(books.owed());
      const end = { held: books.held(), owed: books.owed(), ...books.shares(), least };
      expectSame(round, end, { held: 0, owed: 0, pending: 0, payable: 0, revenue: 0, least: 0 });
    }
    expect(wrong).toEqual([]);
  },
);
