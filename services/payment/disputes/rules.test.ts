import { DISPUTE_STATUSES } from '../../../kernel/statuses';
import {
  captureEntries,
  DISPUTE_LOSSES,
  DISPUTED,
  disputeEntries,
  type Entry,
  owedEntries,
  PLATFORM_REVENUE,
  payerOwed,
  payoutEntries,
  refundEntries,
  releaseEntries,
  STRIPE_BALANCE,
  transferEntries,
  tutorFrozen,
  tutorPayable,
  tutorPending,
} from '../ledger/rules';
import { claimEntries, claimKind, disputeStatusAfter, isDecided, submitBy } from './rules';

describe('a status', () => {
  test.each([
    ['warning_needs_response', 'needs_response', 'needs_response'],
    ['needs_response', 'warning_needs_response', 'needs_response'],
    ['warning_closed', 'needs_response', 'needs_response'],
    ['under_review', 'needs_response', 'under_review'],
    ['lost', 'under_review', 'lost'],
    ['lost', 'won', 'won'],
    ['won', 'lost', 'won'],
  ] as const)('that is %s and of which Stripe says %s is %s', (now, said, then) => {
    expect(disputeStatusAfter(now, said)).toBe(then);
  });

  test('that decides leaves nothing to say', () => {
    const respondBy = new Date('2026-12-10T23:59:59Z');
    const open = DISPUTE_STATUSES.filter((status) => submitBy({ status, respondBy }) !== null);
    expect(open).toEqual(['warning_needs_response', 'needs_response']);
    expect(open.filter(isDecided)).toEqual([]);
    expect(submitBy({ status: 'needs_response', respondBy })).toEqual(new Date('2026-12-09T23:59:59Z'));
    expect(submitBy({ status: 'needs_response', respondBy: null })).toBeNull();
  });

  test.each([
    [0, false, 'dispute_released'],
    [0, true, 'dispute_released'],
    [1, false, 'dispute_frozen'],
    [1, true, 'dispute_lost'],
  ] as const)('with %i taken and decided %s moves by the name of %s', (withdrawn, decided, kind) => {
    const taken = { pending: 0, payable: 0, revenue: 0, owed: 0, frozen: 0, losses: 0, lost: 0 };
    expect(claimKind({ withdrawn, decided, taken })).toBe(kind);
  });
});

test('what a payer is promised is what the bank’s money pays first: so much less is frozen', () => {
  const taken = { pending: 0, payable: 0, revenue: 0, owed: 0, frozen: 0, losses: 0, lost: 0 };
  // 20.00 of 45.00 are promised; of the 25.00 that the bank takes, 5.00 would be beyond that.
  const money = { pending: 2_125, payable: 0, revenue: 375, owed: 2_000, due: 2_000 };
  const claim = { withdrawn: 2_500, decided: false, taken };
  expect(claimEntries(claim, PAID, money, { covers: 2_000, released: false })).toEqual([
    { account: 'tutor_pending:t', amount: 425 },
    { account: 'tutor_frozen:t', amount: -425 },
  ]);
});

// All orders of what can happen to a payment of 45.00 and to a dispute of it, with and without our hearing of each word of the bank.

const PAID = { id: 'p', currency: 'EUR', captured: 4_500, fee: 675, tutorId: 't' };

/** What a bank does of a dispute: it takes so much, gives so much back, and decides. */
type Word = { takes: number } | { gives: number; decides: boolean } | { decides: true };
type Ours = 'refund' | 'cancel' | 'release' | 'payout' | 'submit';
type Deed = Ours | { bank: Word; heard: boolean };

interface Stripe {
  balance: number;
  withdrawn: number;
  decided: boolean;
  lines: { amount: number; fee: number }[];
}

/** A ledger in memory, and what Stripe has. */
class Books {
  readonly postings: { owner: 'payment' | 'dispute' | 'payout'; line: boolean; entries: Entry[] }[] = [];
  readonly stripe: Stripe = { balance: 0, withdrawn: 0, decided: false, lines: [] };
  private linesKnown = 0;
  private known = { withdrawn: 0, decided: true };
  private covered = 0;
  private released = false;
  /** What is promised and not made, what is made, and what was covered by the bank. */
  promised = 0;
  refunded = 0;

  constructor() {
    this.post('payment', captureEntries(PAID.captured, PAID.fee, PAID.tutorId));
    this.stripe.balance = PAID.captured;
  }

  private post(owner: 'payment' | 'dispute' | 'payout', entries: Entry[], line = false): void {
    expect(entries.reduce((sum, { amount }) => sum + amount, 0)).toBe(0);
    this.postings.push({ owner, line, entries });
  }

  /** Debits of an account less credits. */
  sum(account: string, which: (posting: Books['postings'][number]) => boolean = () => true): number {
    return this.postings
      .filter(which)
      .flatMap(({ entries }) => entries)
      .reduce((sum, entry) => sum + (entry.account === account ? entry.amount : 0), 0);
  }

  /** What a payment has, its payouts aside. */
  standing() {
    const has = (account: string) => 0 - this.sum(account, ({ owner }) => owner !== 'payout');
    return {
      pending: has(tutorPending('t')),
      payable: has(tutorPayable('t')),
      revenue: has(PLATFORM_REVENUE),
      owed: has(payerOwed('p')),
    };
  }

  get isDisputed(): boolean {
    return !this.known.decided && this.known.withdrawn > 0;
  }

  private get chargedBack(): number {
    return this.known.decided ? this.known.withdrawn - this.sum(DISPUTE_LOSSES) : 0;
  }

  private get due(): number {
    return this.promised;
  }

  private postOwed(): void {
    if (this.isDisputed) return;
    const { owed, ...shares } = this.standing();
    const amount = Math.min(this.due - owed, shares.pending + shares.payable + shares.revenue);
    if (amount > 0) this.post('payment', owedEntries(amount, PAID, shares));
  }

  private promise(amount: number): void {
    const left = PAID.captured - this.refunded - this.promised - this.chargedBack;
    this.promised += Math.max(0, Math.min(amount, left));
    this.postOwed();
  }

  do(deed: Deed): void {
    if (typeof deed !== 'string') {
      this.say(deed.bank, deed.heard);
      return;
    }
    // What a payee gives back is refused as long as a bank has the money, and so is what Stripe is asked for.
    const stripeRefunds = this.stripe.withdrawn === 0;
    if (deed === 'refund' && !this.isDisputed) this.promise(1_000);
    if (deed === 'cancel')
      this.promise(Math.ceil((PAID.captured - this.refunded - this.promised - this.chargedBack) / 2));
    if (deed === 'release' && this.known.decided && !this.released) {
      this.released = true;
      this.post('payment', releaseEntries(this.standing().pending, 't'));
    }
    const payable = 0 - this.sum(tutorPayable('t'));
    if (deed === 'payout' && payable > 0) {
      this.post('payout', payoutEntries(payable, 'o', 't'));
      this.post('payout', transferEntries(payable, 'o'));
      this.stripe.balance -= payable;
    }
    if (deed === 'submit' && !this.isDisputed && stripeRefunds && this.promised > 0) {
      this.post('payment', refundEntries(this.promised, 'p'));
      this.stripe.balance -= this.promised;
      this.refunded += this.promised;
      this.promised = 0;
    }
  }

  private say(word: Word, heard: boolean): void {
    const line = lineOf(word);
    this.stripe.lines.push(line);
    this.stripe.balance += line.amount - line.fee;
    this.stripe.withdrawn -= line.amount;
    if ('decides' in word) this.stripe.decided = word.decides;
    if (heard) this.hear();
  }

  /** As the store does with what Stripe says. */
  hear(): void {
    const { withdrawn, decided, lines } = this.stripe;
    for (const { amount, fee } of lines.slice(this.linesKnown)) this.post('dispute', disputeEntries(amount, fee), true);
    this.linesKnown = lines.length;
    const moved = (account: string) => this.sum(account, ({ owner, line }) => owner === 'dispute' && !line);
    const taken = {
      ...{ revenue: moved(PLATFORM_REVENUE), pending: moved(tutorPending('t')), payable: moved(tutorPayable('t')) },
      ...{ owed: moved(payerOwed('p')), frozen: 0 - moved(tutorFrozen('t')), losses: moved(DISPUTE_LOSSES) },
      lost: 0 - moved(DISPUTED),
    };
    this.known = { withdrawn, decided };
    if (decided && withdrawn > taken.lost) {
      const by = Math.min(this.promised, withdrawn - taken.lost);
      this.promised -= by;
      this.covered += by;
    }
    const money = { ...this.standing(), due: this.due };
    const covers = Math.min(withdrawn, this.promised);
    const entries = claimEntries({ withdrawn, decided, taken }, PAID, money, { covers, released: this.released });
    this.post('dispute', entries);
    const again = decided ? this.covered - Math.min(this.covered, withdrawn) : 0;
    this.covered -= again;
    this.promised += again;
    this.postOwed();
  }

  /** What does not add up, in sentences. */
  faults(): string[] {
    const { pending, payable, revenue, owed } = this.standing();
    const frozen = 0 - this.sum(tutorFrozen('t'));
    const disputed = this.sum(DISPUTED);
    const wrong: string[] = [];
    for (const [what, is] of Object.entries({ pending, payable, revenue, frozen, losses: this.sum(DISPUTE_LOSSES) }))
      if (is < 0) wrong.push(`${what} is ${is}`);
    if (disputed !== (this.known.decided ? 0 : this.known.withdrawn)) wrong.push(`disputed is ${disputed}`);
    if (!this.isDisputed && owed !== this.due) wrong.push(`${owed} is owed, ${this.due} is due`);
    if (!this.isDisputed && frozen !== 0) wrong.push(`${frozen} is frozen`);
    if (!this.isDisputed) {
      // What is left is shared as the whole was: the platform has its 15 % of it, rounded half up.
      const left = pending + payable + revenue;
      const kept = Math.floor((left * PAID.fee + PAID.captured / 2) / PAID.captured);
      if (revenue !== kept) wrong.push(`of ${left} the platform has ${revenue}, not ${kept}`);
    }
    return wrong;
  }
}

/** What a word is in Stripe's books: it keeps 20.00 of a dispute. */
function lineOf(word: Word): { amount: number; fee: number } {
  if ('takes' in word) return { amount: 0 - word.takes, fee: 2_000 };
  return { amount: 'gives' in word ? word.gives : 0, fee: 0 };
}

const BANKS: Record<string, Word[]> = {
  'takes all': [{ takes: 4_500 }],
  'takes all, gives it back': [{ takes: 4_500 }, { gives: 4_500, decides: true }],
  'gives back before it decides': [{ takes: 4_500 }, { gives: 4_500, decides: false }, { decides: true }],
  'takes all for good': [{ takes: 4_500 }, { decides: true }],
  'takes all, gives it back late': [{ takes: 4_500 }, { decides: true }, { gives: 4_500, decides: true }],
  'takes a part for good': [{ takes: 1_337 }, { decides: true }],
  'takes a part, gives it back late': [{ takes: 1_337 }, { decides: true }, { gives: 1_337, decides: true }],
  'gives a part back': [{ takes: 4_500 }, { gives: 2_001, decides: true }],
  'takes more than was paid': [{ takes: 5_200 }, { decides: true }],
  'takes more, gives it back late': [{ takes: 5_200 }, { decides: true }, { gives: 5_200, decides: true }],
};
const OURS: Ours[][] = [
  [],
  ['refund', 'submit'],
  ['cancel', 'submit'],
  ['release', 'payout'],
  ['refund', 'submit', 'release', 'payout'],
  ['cancel', 'submit', 'release', 'payout'],
  ['release', 'payout', 'cancel', 'submit'],
  ['refund', 'cancel', 'submit', 'release'],
];

/** All ways to put one list into the other, each in its own order. */
function* merged<A, B>(ones: readonly A[], others: readonly B[]): Generator<(A | B)[]> {
  const [one, ...restOfOnes] = ones;
  const [other, ...restOfOthers] = others;
  if (one === undefined || other === undefined) return yield [...ones, ...others];
  for (const rest of merged(restOfOnes, others)) yield [one, ...rest];
  for (const rest of merged(ones, restOfOthers)) yield [other, ...rest];
}

test.each(Object.entries(BANKS))('a bank that %s: the ledger is Stripe’s after every order of all else', (_, words) => {
  let played = 0;
  for (let heard = 0; heard < 2 ** words.length; heard++) {
    const said = words.map((bank, n): Deed => ({ bank, heard: (heard & (1 << n)) !== 0 }));
    for (const ours of OURS)
      for (const deeds of merged(said, ours)) {
        const books = new Books();
        for (const deed of deeds) {
          books.do(deed);
          expect([deeds, books.faults()]).toEqual([deeds, []]);
        }
        // The night comes, twice.
        books.hear();
        books.hear();
        expect([deeds, books.faults(), books.sum(STRIPE_BALANCE)]).toEqual([deeds, [], books.stripe.balance]);
        played += 1;
      }
  }
  expect(played).toBeGreaterThan(50);
});
