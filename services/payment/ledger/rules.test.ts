import {
  captureEntries,
  type Entry,
  refundEntries,
  releaseEntries,
  reversalEntries,
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
    held: () => balances.get('stripe_balance') ?? 0,
  };
}

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

test('a refund takes pending earnings first, then payable ones', () => {
  const terms = { captured: 1000, fee: 150, tutorId: 't' };
  expect(refundEntries(400, terms, { pending: 200, payable: 650, revenue: 150 })).toEqual([
    { account: 'platform_revenue', amount: 60 },
    { account: 'tutor_pending:t', amount: 200 },
    { account: 'tutor_payable:t', amount: 140 },
    { account: 'stripe_balance', amount: -400 },
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

test('what a failed refund took from pending comes back as payable once the earnings were released', () => {
  const refund = [
    { account: 'platform_revenue', amount: 15 },
    { account: 'tutor_pending:t', amount: 50 },
    { account: 'tutor_payable:t', amount: 35 },
    { account: 'stripe_balance', amount: -100 },
  ];
  expect(reversalEntries(refund, 't', false)).toContainEqual({ account: 'tutor_pending:t', amount: -50 });
  const late = reversalEntries(refund, 't', true);
  expect(late).toContainEqual({ account: 'tutor_payable:t', amount: -85 });
  expect(late.map(({ account }) => account)).not.toContain('tutor_pending:t');
  expect(sum(late)).toBe(0);
});

test('refunds in any split, some of them failing, never overdraw a share and end exactly at zero', () => {
  let state = 42;
  const below = (limit: number) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return state % limit;
  };
  for (let round = 0; round < 500; round++) {
    const captured = 1 + below(5_000);
    const fee = below(captured + 1);
    const books = book();
    books.post(captureEntries(captured, fee, 't'));
    const made: (readonly Entry[])[] = [];
    let released = false;
    let least = 0;
    const refund = (amount: number) => {
      const entries = books.post(refundEntries(amount, { captured, fee, tutorId: 't' }, books.shares()));
      least = Math.min(least, ...Object.values(books.shares()));
      return entries;
    };
    for (let step = 0; step < 8 && books.held() > 0; step++) {
      const deed = below(6);
      const failing = made.length > 0 && deed === 0 ? made.splice(below(made.length), 1)[0] : undefined;
      if (failing) books.post(reversalEntries(failing, 't', released));
      else if (deed === 1 && !released) {
        books.post(releaseEntries(books.shares().pending, 't'));
        released = true;
      } else made.push(refund(1 + below(books.held())));
    }
    if (books.held() > 0) refund(books.held());
    const end = { held: books.held(), ...books.shares(), least };
    expect(end).toEqual({ held: 0, pending: 0, payable: 0, revenue: 0, least: 0 });
  }
});
