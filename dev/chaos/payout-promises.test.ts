import type { Reply } from './client';
import { judgeAsks, judgeWallet, leastPayable } from './payout-promises';
import type { PayoutBooks, PayoutRow } from './payouts';
import type { EarnerPlan } from './plan';
import type { AskRecord } from './records';
import { walletSchema } from './wire';

const NOW = Date.parse('2026-11-30T06:00:00.000Z');
const SECOND = 1_000;

const PLAN: EarnerPlan = {
  ...{ kind: 'earner', number: 3, currency: 'EUR', starts: 'takes', rounds: [], pauseMs: 0 },
  resting: { number: 3, student: 0, amount: 1, pauseMs: 0, card: 'pm_card_visa', bank: 'none', declines: false },
};
const row = (id: string, more: Partial<PayoutRow> = {}): PayoutRow => ({
  ...{ id, payee: 'ada', origin: 'request', status: 'completed', reason: null, currency: 'EUR', amount: 2_000 },
  ...{ account: 'acct_1', transferred: true, reversed: false, returned: false, closed: null, createdAt: new Date(NOW) },
  ...more,
});
const opened = (id: string, amount = 2_000): Reply => ({
  ...{ status: 201, code: undefined },
  body: { id, status: 'pending', statusReason: null, amount: { amount, currency: 'EUR' }, returnedAt: null },
});
const refused = (code: string, more: object = {}): Reply => ({ status: 409, code, body: { code, ...more } });
const ask = (reply: Reply | undefined, amount?: number): AskRecord => ({
  ...{ amount, at: { from: NOW, to: NOW + SECOND } },
  ...(reply && { reply }),
});
const movement = (seconds: number, amount: number) => ({ at: new Date(NOW + seconds * SECOND), amount });
/** Enough was payable for minutes. */
const PAYABLE = [movement(-600, 5_000)];
const wrong = (asks: AskRecord[], payouts: PayoutRow[], movements = PAYABLE) =>
  judgeAsks({ plan: PLAN, asks }, payouts, movements);

test.each<[string, AskRecord[], PayoutRow[]]>([
  ['was promised', [ask(opened('a'))], [row('a')]],
  ['of a part was promised', [ask(opened('a'), 2_000)], [row('a')]],
  ['that somebody gave up on was opened', [ask(undefined)], [row('a')]],
  ['that somebody gave up on was not opened', [ask(undefined)], []],
  [
    'was refused beside another one',
    [ask(opened('a')), ask(refused('payout_in_progress', { payoutId: 'a' }))],
    [row('a')],
  ],
  [
    'was refused beside one of the Schedule',
    [ask(refused('payout_in_progress', { payoutId: 'a' }))],
    [row('a', { origin: 'schedule' })],
  ],
  ['of more than was payable was refused', [ask(refused('nothing_to_pay'), 5_001)], []],
  ['of less than the minimum was refused', [ask({ ...refused('below_minimum'), status: 422 }, 999)], []],
])('a payout that %s is no violation', (_, asks, payouts) => {
  expect(wrong(asks, payouts)).toEqual([]);
});

test.each<[string, AskRecord[], PayoutRow[], string]>([
  ['a promised payout is not there', [ask(opened('a'))], [], 'earner 3: payout a was promised and is not there'],
  [
    'one became another amount',
    [ask(opened('a'))],
    [row('a', { amount: 1 })],
    'earner 3: payout a of 2000 and 2000 became 1',
  ],
  [
    'another amount was promised than asked for',
    [ask(opened('a'), 1_500)],
    [row('a')],
    'earner 3: payout a of 2000 and 1500 became 2000',
  ],
  [
    'two keys had one payout',
    [ask(opened('a')), ask(opened('a'))],
    [row('a')],
    'earner 3: payout a was the answer under two keys',
  ],
  [
    'one key has two payouts',
    [ask(opened('a'))],
    [row('a'), row('b')],
    'earner 3: 1 payouts were opened beside those that were promised, and 0 askings were given up: b',
  ],
  [
    'one was refused though all was payable',
    [ask(refused('nothing_to_pay'))],
    [],
    'earner 3: a payout of all was refused for no reason: 409 nothing_to_pay',
  ],
  [
    'one was refused for another that is not there',
    [ask(refused('payout_in_progress', { payoutId: 'a' }))],
    [],
    'earner 3: a payout of all was refused for no reason: 409 payout_in_progress',
  ],
  [
    'one above the minimum was refused as below it',
    [ask({ ...refused('below_minimum'), status: 422 }, 1_000)],
    [],
    'earner 3: a payout of 1000 was refused for no reason: 422 below_minimum',
  ],
  [
    'somebody who has an account was refused for having none',
    [ask(refused('payouts_disabled'))],
    [],
    'earner 3: a payout of all was refused for no reason: 409 payouts_disabled',
  ],
])('found: %s', (_, asks, payouts, sentence) => {
  expect(wrong(asks, payouts)).toEqual([sentence]);
});

test.each([
  ['what was payable all the time', [movement(-600, 5_000), movement(600, -5_000)], 5_000],
  ['what was left for a moment', [movement(-600, 5_000), movement(0.2, -4_000), movement(0.4, 4_000)], 1_000],
  ['nothing, where it came only meanwhile', [movement(0.5, 5_000)], 0],
  ['nothing, where what made it payable may have waited for the lock', [movement(-10, 5_000)], 0],
  ['debt', [movement(-600, 5_000), movement(-500, -5_000), movement(-400, -700)], -700],
  ['nothing of which nobody earned', [], 0],
])('the least that was payable is %s', (_, movements, least) => {
  expect(leastPayable(movements, { from: NOW, to: NOW + SECOND })).toBe(least);
});

const BOOKS: Pick<PayoutBooks, 'payouts' | 'ledger'> = {
  payouts: [
    row('a'),
    row('b', { status: 'failed', returned: false }),
    row('c', { status: 'cancelled', returned: true }),
    row('d', { currency: 'USD', amount: 7 }),
    row('e', { payee: 'bob' }),
  ],
  ledger: [
    { account: 'tutor_pending:ada', currency: 'EUR', amount: -300 },
    { account: 'tutor_payable:ada', currency: 'EUR', amount: 40 },
    { account: 'tutor_frozen:ada', currency: 'EUR', amount: -7 },
    { account: 'tutor_payable:bob', currency: 'EUR', amount: -5_000 },
  ],
};
const books = { ...BOOKS, earnings: [], accounts: new Map<string, string>(), running: new Set<string>() };
const shown = { currency: 'EUR', pending: 300, payable: 0, debt: 40, inPayout: 2_000, paidOut: 2_000, frozen: 7 };

test('a wallet shows what the ledger and the payouts say', () => {
  expect(judgeWallet('ada', walletSchema.parse({ balances: [shown] }), books)).toEqual([]);
});

test.each(['pending', 'payable', 'debt', 'inPayout', 'paidOut', 'frozen'] as const)(
  'found: a wallet shows another %s',
  (name) => {
    const balances = [{ ...shown, [name]: shown[name] + 1 }];
    expect(judgeWallet('ada', walletSchema.parse({ balances }), books)).toEqual([
      `the wallet of ada shows ${name} ${shown[name] + 1} EUR, and it is ${shown[name]}`,
    ]);
  },
);

test('found: a wallet does not show what there is', () => {
  expect(judgeWallet('ada', walletSchema.parse({ balances: [] }), books)).toHaveLength(6);
});
