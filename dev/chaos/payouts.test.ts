import { aboutPayouts, type EarningRow, type PayoutBooks, type PayoutRow, payoutEnds } from './payouts';
import type { SandboxState } from './stripe-state';

type AtStripe = Pick<SandboxState, 'accounts' | 'transfers' | 'transfer_reversals' | 'connected_payouts'>;

const MONDAY = new Date('2026-11-30T06:00:00.000Z');
const ACCOUNT = 'acct_1';

const payout = (id: string, more: Partial<PayoutRow> = {}): PayoutRow => ({
  ...{ id, payee: 'ada', origin: 'request', status: 'completed', reason: null, currency: 'EUR', amount: 850 },
  ...{ account: ACCOUNT, transferred: true, reversed: false, returned: false, closed: null, createdAt: MONDAY },
  ...more,
});
const FAILED = { status: 'failed', reason: 'refused_by_bank', reversed: true, returned: true } as const;
const CALLED_OFF = {
  status: 'cancelled',
  reason: 'cancelled_by_operator',
  transferred: false,
  returned: true,
} as const;
const WAITS = { status: 'pending', reason: 'awaiting_bank_account', transferred: false } as const;

const earning = (more: Partial<EarningRow> = {}): EarningRow => ({
  ...{ id: 'p', payee: 'ada', currency: 'EUR', captured: 1_000, fee: 150, promised: 0, released: true, posted: 850 },
  ...{ chargedBack: 0, givenUp: 0, disputes: 0 },
  ...more,
});
const transfer = (group: string, more: Partial<AtStripe['transfers'][number]> = {}) => ({
  ...{ id: `tr_${group}`, amount: 850, currency: 'eur', destination: ACCOUNT, transfer_group: group },
  ...more,
});
const reversal = (of: string, amount = 850) => ({ id: `trr_${of}`, amount, currency: 'eur', transfer: `tr_${of}` });
const bankPayout = (payoutId: string, status: string, wasPaid = status === 'paid') => ({
  ...{ id: `po_${payoutId}`, amount: 850, currency: 'eur', status, metadata: { payoutId } },
  trace_id: { status: wasPaid ? 'supported' : 'pending' },
});
const account = (banks: AtStripe['accounts'][number]['external_accounts']['data']) => ({
  ...{ id: ACCOUNT, metadata: { userId: 'ada' }, details_submitted: true, payouts_enabled: true },
  external_accounts: { data: banks },
});

const books = (more: Partial<PayoutBooks>): PayoutBooks => ({
  ...{ payouts: [], earnings: [], ledger: [], accounts: new Map([['ada', ACCOUNT]]), running: new Set() },
  ...more,
});
const stripe = (more: Partial<AtStripe> = {}): AtStripe => ({
  ...{ accounts: [account([])], transfers: [], transfer_reversals: [], connected_payouts: {} },
  ...more,
});
const payable = (amount: number) => ({ account: 'tutor_payable:ada', currency: 'EUR', amount: 0 - amount });
const inTransit = (id: string, amount: number) => ({
  ...{ account: `payout_in_transit:${id}`, currency: 'EUR', amount: 0 - amount },
});

/** One payout of all that was earned, and what Stripe has of it. */
const SOUND: [string, PayoutBooks, AtStripe][] = [
  [
    'is paid',
    books({ payouts: [payout('a')], earnings: [earning()], ledger: [payable(0)] }),
    stripe({ transfers: [transfer('a')], connected_payouts: { [ACCOUNT]: [bankPayout('a', 'paid')] } }),
  ],
  [
    'came back and is payable again',
    books({ payouts: [payout('a', FAILED)], earnings: [earning()], ledger: [payable(850), inTransit('a', 0)] }),
    stripe({
      ...{ transfers: [transfer('a')], transfer_reversals: [reversal('a')] },
      connected_payouts: { [ACCOUNT]: [bankPayout('a', 'failed', true)] },
    }),
  ],
  [
    'was called off before it was transferred',
    books({ payouts: [payout('a', CALLED_OFF)], earnings: [earning()], ledger: [payable(850)] }),
    stripe(),
  ],
  [
    'waits for its payee, who has given Stripe no bank account',
    books({
      ...{ payouts: [payout('a', WAITS)], earnings: [earning()], ledger: [payable(0), inTransit('a', 850)] },
      running: new Set(['payout:a']),
    }),
    stripe(),
  ],
  [
    'is paid, and what it is made of was given back in part afterwards',
    books({
      ...{ payouts: [payout('a')], earnings: [earning({ promised: 400, posted: 510 })], ledger: [payable(510 - 850)] },
    }),
    stripe({ transfers: [transfer('a')], connected_payouts: { [ACCOUNT]: [bankPayout('a', 'paid')] } }),
  ],
];

test.each(SOUND)('a payout that %s is sound', (_, rows, atStripe) => {
  expect(aboutPayouts(rows, atStripe)).toEqual([]);
});

const [PAID, RETURNED, , WAITING] = SOUND.map(([, rows, atStripe]) => ({ rows, atStripe }));

/** What is planted into what is sound, and the sentence that tells of it. */
const PLANTED: [string, PayoutBooks, AtStripe, string | RegExp][] = [
  [
    'a transfer was made twice',
    ...planted(PAID, {}, { transfers: [transfer('a'), transfer('a', { id: 'tr_b' })] }),
    'payout a of 850 was transferred 2 times at Stripe, 1700 in all, and is recorded as transferred',
  ],
  [
    'a transfer was made of which nothing is recorded',
    ...planted(WAITING, {}, { transfers: [transfer('a')] }),
    'payout a of 850 was transferred 1 times at Stripe, 850 in all, and is recorded as not transferred',
  ],
  [
    'a transfer went to somebody else',
    ...planted(PAID, {}, { transfers: [transfer('a', { destination: 'acct_2' })] }),
    'payout a was transferred to acct_2 instead of acct_1',
  ],
  [
    'a transfer is of another currency',
    ...planted(PAID, {}, { transfers: [transfer('a', { currency: 'usd' })] }),
    'transfers less reversals to acct_1 USD: Stripe has 850, and the payouts that were not taken back are 0',
  ],
  [
    'a reversal is not posted',
    ...planted(RETURNED, { ledger: [payable(850), inTransit('a', -850)] }, {}),
    'payout_in_transit:a EUR is -850, and its payout has 0 set aside',
  ],
  [
    'only a part was reversed',
    ...planted(RETURNED, {}, { transfer_reversals: [reversal('a', 50)] }),
    'payout a of 850 was reversed 1 times at Stripe, 50 in all, and is recorded as reversed',
  ],
  [
    'a failed payout was given back without its reversal',
    ...planted(RETURNED, { payouts: [payout('a', { ...FAILED, reversed: false })] }, { transfer_reversals: [] }),
    'payout a (failed/refused_by_bank): was given back, and its transfer was not reversed',
  ],
  [
    'a failed payout was not given back',
    ...planted(RETURNED, { payouts: [payout('a', { ...FAILED, returned: false })] }, {}),
    'payout a (failed/refused_by_bank): is neither over nor waits for its payee, and has no saga',
  ],
  [
    'what came back is not payable',
    ...planted(RETURNED, { ledger: [payable(0)] }, {}),
    'tutor_payable:ada EUR is 0, and payments less payouts come to 850',
  ],
  [
    'a completed payout has come back to Stripe',
    ...planted(PAID, {}, { connected_payouts: { [ACCOUNT]: [bankPayout('a', 'failed', true)] } }),
    'payout a (completed/null): Stripe says failed 850 eur',
  ],
  [
    'a payout was sent to the bank twice',
    ...planted(PAID, {}, { connected_payouts: { [ACCOUNT]: [bankPayout('a', 'paid'), bankPayout('a', 'paid')] } }),
    'paid out of acct_1 EUR: Stripe has 1700, and the completed payouts are 850',
  ],
  [
    'the bank was given the order twice',
    ...planted(PAID, {}, { connected_payouts: { [ACCOUNT]: [bankPayout('a', 'paid'), bankPayout('a', 'paid')] } }),
    'payout a (completed/null): was sent to the bank 2 times: paid 850 eur, paid 850 eur',
  ],
  [
    'the bank gets another amount',
    ...planted(PAID, {}, { connected_payouts: { [ACCOUNT]: [{ ...bankPayout('a', 'paid'), amount: 8 }] } }),
    'payout a (completed/null): Stripe sends paid 8 eur',
  ],
  [
    'one that waits is at the bank',
    ...planted(WAITING, {}, { connected_payouts: { [ACCOUNT]: [bankPayout('a', 'paid')] } }),
    'payout a (pending/awaiting_bank_account): is still to be sent, and Stripe says paid 850 eur',
  ],
  [
    'a completed payout was fetched back',
    ...planted(PAID, { payouts: [payout('a', { reversed: true })] }, { transfer_reversals: [reversal('a')] }),
    'payout a (completed/null): is paid, and its money was taken back',
  ],
  [
    'one that was called off is not payable again',
    ...planted(WAITING, { payouts: [payout('a', { ...CALLED_OFF, returned: false })] }, {}),
    'payout a (cancelled/cancelled_by_operator): is not payable again',
  ],
  [
    'one that was called off is at the bank',
    ...planted(
      WAITING,
      { payouts: [payout('a', CALLED_OFF)] },
      { connected_payouts: { [ACCOUNT]: [bankPayout('a', 'paid')] } },
    ),
    'payout a (cancelled/cancelled_by_operator): Stripe says paid 850 eur',
  ],
  [
    'a payout is sent to the bank that nobody opened',
    ...planted(PAID, {}, { connected_payouts: { [ACCOUNT]: [bankPayout('a', 'paid'), bankPayout('b', 'paid')] } }),
    'po_b at Stripe belongs to no payout',
  ],
  [
    'two are under way at once',
    ...planted(WAITING, { payouts: [payout('a', WAITS), payout('b', WAITS)] }, {}),
    '2 payouts are under way at once for a payee and currency: ada EUR',
  ],
  [
    'the Schedule has opened two in a week',
    ...planted(
      PAID,
      {
        payouts: [
          payout('a', { origin: 'schedule' }),
          payout('b', { origin: 'schedule', createdAt: new Date(MONDAY.getTime() + 60_000) }),
        ],
      },
      {},
    ),
    '2 payouts of one week for a payee and currency: ada EUR 2026-W49',
  ],
  [
    'the saga of one that waits is gone',
    ...planted(WAITING, { running: new Set() }, {}),
    'payout a (pending/awaiting_bank_account): is neither over nor waits for its payee, and has no saga',
  ],
  [
    'one waits for what its payee has given',
    ...planted(WAITING, {}, { accounts: [account([{ currency: 'eur', status: 'new', default_for_currency: true }])] }),
    'payout a (pending/awaiting_bank_account): waits for its payee, who lacks nothing at Stripe',
  ],
  [
    'one waits for nothing that has a name',
    ...planted(WAITING, { payouts: [payout('a', { ...WAITS, reason: null })] }, {}),
    'payout a (pending/null): is neither over nor waits for its payee',
  ],
  [
    'nothing is set aside for one that waits',
    ...planted(WAITING, { ledger: [payable(0)] }, {}),
    'payout_in_transit:a EUR is 0, and its payout has 850 set aside',
  ],
  [
    'something is set aside for a payout that is not there',
    ...planted(PAID, { ledger: [payable(0), inTransit('b', 1)] }, {}),
    'payout_in_transit:b EUR is 1, and its payout has 0 set aside',
  ],
  [
    'a refund took more of the payee than its share',
    ...planted(PAID, { earnings: [earning({ promised: 400, posted: 450 })], ledger: [payable(-400)] }, {}),
    'payment p has brought its payee 450, and 510 of it are theirs',
  ],
];

function planted(
  sound: { rows: PayoutBooks; atStripe: AtStripe } | undefined,
  rows: Partial<PayoutBooks>,
  atStripe: Partial<AtStripe>,
): [PayoutBooks, AtStripe] {
  if (!sound) throw new Error('There is nothing to plant into');
  return [
    { ...sound.rows, ...rows },
    { ...sound.atStripe, ...atStripe },
  ];
}

test.each(PLANTED)('found: %s', (_, rows, atStripe, sentence) => {
  expect(aboutPayouts(rows, atStripe)).toContain(sentence);
});

const shared = (more: Partial<EarningRow>) =>
  aboutPayouts(books({ earnings: [earning(more)], ledger: [payable(more.posted ?? 850)] }), stripe());

test.each([
  ['all is lost', { chargedBack: 1_000, disputes: 1, posted: 0 }],
  ['a part is lost', { chargedBack: 400, disputes: 1, posted: 510 }],
  ['a part came back late, and is rounded as it was then', { disputes: 1, posted: 849 }],
  ['what was refunded beside it was given up', { chargedBack: 400, givenUp: 200, disputes: 1, posted: 340 }],
  ['what was given up had been the platform’s alone', { chargedBack: 400, givenUp: 200, disputes: 1, posted: 510 }],
])('of a disputed payment its payee has what is theirs: %s', (_, more) => {
  expect(shared(more)).toEqual([]);
});

test.each([
  ['the payee keeps what is lost', { chargedBack: 400, disputes: 1, posted: 850 }, '509 to 511'],
  ['the payee has lost more than a share', { chargedBack: 400, disputes: 1, posted: 450 }, '509 to 511'],
  ['the payee has lost what was won', { disputes: 1, posted: 510 }, '849 to 851'],
  ['the payee has what was given up', { givenUp: 200, posted: 851 }, '680 to 850'],
])('found: %s', (_, more, theirs) => {
  expect(shared(more)).toContain(`payment p has brought its payee ${more.posted}, and ${theirs} of it are theirs`);
});

test('payouts of different weeks, and of other currencies, are not too many', () => {
  const later = { origin: 'schedule', createdAt: new Date('2026-12-07T06:00:00.000Z') } as const;
  const payouts = [
    payout('a', { origin: 'schedule' }),
    payout('b', later),
    payout('c', { origin: 'schedule', currency: 'USD' }),
  ];
  const wrong = aboutPayouts(books({ payouts }), stripe());
  expect(wrong.filter((sentence) => sentence.includes('of one week'))).toEqual([]);
});

test('payouts are counted by how they ended; what the bank had taken before has returned', () => {
  const payouts = [
    payout('a'),
    payout('b', FAILED),
    payout('c', FAILED),
    payout('d', CALLED_OFF),
    payout('e', { ...FAILED, status: 'cancelled', reason: 'refused_by_stripe' }),
  ];
  const sent = [bankPayout('a', 'paid'), bankPayout('b', 'failed'), bankPayout('c', 'failed', true)];
  expect(
    Object.fromEntries(payoutEnds(books({ payouts }), stripe({ connected_payouts: { [ACCOUNT]: sent } }))),
  ).toEqual({
    ...{ paid: 1, rejected: 1, returned: 1 },
    ...{ 'cancelled (cancelled_by_operator)': 1, 'cancelled (refused_by_stripe)': 1 },
  });
});
