import { chance } from '../../dev/chaos/chance';
import { toStripe } from '../../kernel/currencies';
import { DAY, HOUR } from '../../kernel/time';
import { isoWeekOf, nextMonday, PAYOUT_HOUR } from '../../kernel/week';
import { uuidv7 } from '../../platform/ids';
import { type WeeklyPayoutsResult, weeklyPayoutsSchedule } from '../../workflows/weekly-payouts.api';
import { createMarketplace, type Person } from '../support/marketplace';
import { BANKS, type Books, type Payee, unsound } from '../support/payment';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import type { Reply } from '../support/service';

// The week's payouts of fifty people, while the service and the workers that make them die again and again. Payment runs alone.

jest.setTimeout(400_000);

const SEED = 20_261_130;
const PEOPLE = 50;
const KILLS = 10;
/** Between two kills: most payouts are under way then, each in another step. */
const TRANSFERS_APART = 2;
const SETTLED_WITHIN_MS = 200_000;

/** A share of somebody's earnings, and the account number that says what their bank makes of it. */
interface Earned {
  currency: string;
  amount: number;
  bank: string;
}
const REFUSES = 'DE89370400440532013001';
/** Of ten people: what they have earned. Dollars and yen beside euros, banks that refuse or send back, and too little. */
const EARNED: readonly (readonly Earned[])[] = [
  [{ currency: 'EUR', amount: 4_000, bank: BANKS.takes }],
  [{ currency: 'USD', amount: 6_000, bank: BANKS.takes }],
  [{ currency: 'JPY', amount: 5_000, bank: BANKS.takes }],
  [
    { currency: 'EUR', amount: 7_777, bank: BANKS.takes },
    { currency: 'USD', amount: 3_333, bank: BANKS.takes },
  ],
  [{ currency: 'EUR', amount: 5_000, bank: REFUSES }],
  [{ currency: 'EUR', amount: 9_999, bank: BANKS.takes }],
  [{ currency: 'EUR', amount: 8_000, bank: BANKS.returns }],
  [{ currency: 'USD', amount: 12_345, bank: BANKS.takes }],
  [{ currency: 'EUR', amount: 500, bank: BANKS.takes }],
  [{ currency: 'EUR', amount: 2_001, bank: BANKS.takes }],
];

interface Earner extends Payee {
  person: Person;
  earned: readonly Earned[];
}

let platform: TestPlatform;
let payer: Person;
let people: Earner[];
let books: Books;

beforeAll(async () => {
  platform = await startTestPlatform({ SETTLEMENT_CURRENCIES: 'EUR,USD,JPY' }, ['payment']);
  books = {
    ledger: ledgerOf,
    state: async () => (await platform.sandbox('GET', '/sandbox/state')).body,
    service: { database: { sql: platform.database('payment') } },
  };
  await control('/settings', { onboarding: 'required' });
  const market = createMarketplace(platform);
  [payer, people] = [await market.student(), await signedUp(await market.payees(PEOPLE))];
  await Promise.all(people.map((who) => earn(who, who.earned)));
});
afterAll(() => platform?.stop());

async function control(path: string, body: object): Promise<void> {
  expect((await platform.sandbox('POST', `/sandbox${path}`, body)).status).toBeLessThan(300);
}

async function ledgerOf(currency = 'EUR'): Promise<Record<string, number>> {
  const rows = await platform.database('payment')<{ account: string; amount: number }[]>`
    select account, sum(amount)::int as amount from ledger_entries where currency = ${currency} group by account`;
  return Object.fromEntries(rows.map(({ account, amount }) => [account, amount]));
}

/** Pays somebody, and lets the days pass until it is payable. */
async function earn(who: Pick<Payee, 'id'>, earned: readonly Pick<Earned, 'amount' | 'currency'>[]): Promise<void> {
  for (const { amount, currency } of earned) {
    const card = { paymentMethodId: 'pm_card_visa', description: 'Two books' };
    const body = { payeeId: who.id, amount: { amount, currency }, ...card };
    const paid = await platform.ask('POST', '/api/payments', { token: payer.token, key: uuidv7(), body });
    // On a busy machine the answer may come before the money does.
    expect([201, 202]).toContain(paid.status);
    const saga = platform.temporal.workflow.getHandle(paid.body.workflowId);
    expect(await saga.result()).toMatchObject({ outcome: 'paid' });
  }
  const sql = platform.database('payment');
  await eventually('it is noted when it may be paid out', async () => {
    const [row] = await sql`select from payments where payee_id = ${who.id} and earnings_due_at is null`;
    return row === undefined;
  });
  await sql`update payments set earnings_due_at = now() where payee_id = ${who.id} and released_at is null`;
}

/** Everybody has told Stripe all it asks. */
async function signedUp(persons: readonly Person[]): Promise<Earner[]> {
  const accounts = await platform.database('payment')<{ user_id: string; stripe_id: string }[]>`
    select user_id, stripe_id from stripe_accounts`;
  const accountOf = new Map(accounts.map((row) => [row.user_id, row.stripe_id]));
  return Promise.all(
    persons.map(async (person, index) => {
      const account = accountOf.get(person.id) ?? '';
      const earned = EARNED[index % EARNED.length] ?? [];
      const banks = earned.map(({ currency, bank }) => ({
        ...{ currency: currency.toLowerCase(), country: 'DE', account_number: bank },
      }));
      await control(`/accounts/${account}/onboarding`, { banks });
      const { token } = person;
      return {
        ...{ person, earned, account, id: person.id, token },
        see: (path: string) => platform.ask('GET', path, { token }),
        ask: (body: object = {}, key = uuidv7()) => platform.ask('POST', '/api/payouts/initiate', { token, key, body }),
      };
    }),
  );
}

function somebody(): Earner {
  const [first] = people;
  if (!first) throw new Error('nobody is there');
  return first;
}

const schedule = () => platform.temporal.schedule.getHandle(weeklyPayoutsSchedule.scheduleId);
/** The workflow ids of the latest runs. */
const runs = async () => {
  const { info } = await schedule().describe();
  return info.recentActions.map(({ action }) => action.workflow.workflowId);
};
const resultOf = (workflowId: string): Promise<WeeklyPayoutsResult> =>
  platform.temporal.workflow.getHandle(workflowId).result();

/** What a payee has of 85 % of it, as Stripe can move it. */
const shareOf = (amount: number) => amount - Math.round(amount * 0.15);
const MINIMUM: Readonly<Record<string, number>> = { EUR: 1_000, USD: 1_000, JPY: 1_500 };
const isEnough = ({ currency, amount }: Earned) => shareOf(amount) >= (MINIMUM[currency] ?? 0);

interface Row {
  id: string;
  payee_id: string;
  currency: string;
  amount: number;
  status: string;
  returned: boolean;
}
const payouts = () => platform.database('payment')<Row[]>`
  select id, payee_id, currency, amount::int, status, returned_at is not null as returned from payouts`;

/** What becomes of each payee's payouts of a currency in the end. One that its bank sends back has been completed for a moment. */
function isOver({ payee_id: id, currency, status, returned }: Row): boolean {
  const earned = people.find((who) => who.id === id)?.earned.find((one) => one.currency === currency);
  return earned?.bank === BANKS.takes ? status === 'completed' : status === 'failed' && returned;
}

/** Waits until nothing of any payout is under way. */
async function untilSettled(count: number): Promise<Row[]> {
  return eventually(
    `${count} payouts are at the bank or payable again`,
    async () => {
      const rows = await payouts();
      const { pending_webhooks: pending } = await books.state();
      return rows.length === count && rows.every(isOver) && pending === 0 && rows;
    },
    SETTLED_WITHIN_MS,
  );
}

const expectSound = async () => {
  const state = await books.state();
  const seen = { ...books, state: async () => state };
  const wrong = await Promise.all(
    people.flatMap((who) => who.earned.map(({ currency }) => unsound(seen, who, currency))),
  );
  expect(wrong.flat()).toEqual([]);
};

/** Who is killed, in which order: each half of the times. */
function victims(): ('payment' | 'workers')[] {
  const draw = chance(SEED, 'kills');
  const order = Array.from({ length: KILLS }, (_, index) => ({ part: index, at: draw.between(0, 1) }));
  return order.toSorted((one, other) => one.at - other.at).map(({ part }) => (part % 2 === 0 ? 'payment' : 'workers'));
}

test('while the Schedule’s run and its payouts’ sagas lose their processes ten times, everybody is paid once, to the cent', async () => {
  const due = people.flatMap((who) => who.earned.filter(isEnough).map((one) => ({ ...one, who })));
  const impatient = somebody();
  const before = await runs();
  await schedule().trigger();
  await schedule().trigger();
  // One that a killed process was answering gets none.
  const asked = Array.from({ length: 10 }, (): Promise<Reply | undefined> => impatient.ask().catch(() => undefined));

  for (const [kill, part] of victims().entries()) {
    const wanted = kill * TRANSFERS_APART;
    await eventually(
      `some payouts are stored, and ${wanted} have a transfer at Stripe`,
      async () => (await books.state()).transfers.length >= wanted && (await payouts()).length > 0,
      SETTLED_WITHIN_MS,
    );
    await platform.crash(part);
  }
  const replies = await Promise.all(asked);

  const rows = await untilSettled(due.length);
  const ofTheSchedule = (await runs()).filter((id) => !before.includes(id));
  expect(ofTheSchedule.length).toBeGreaterThan(0);
  for (const id of ofTheSchedule) expect(await resultOf(id)).toMatchObject({ failed: 0 });

  // One payout of each payee and currency, of all that was payable.
  const opened = rows.map(({ payee_id, currency, amount }) => `${payee_id} ${currency} ${amount}`);
  expect(opened.toSorted()).toEqual(
    due.map(({ who, currency, amount }) => `${who.id} ${currency} ${shareOf(amount)}`).toSorted(),
  );
  const made = new Set(replies.filter((reply) => reply?.status === 201).map((reply) => reply?.body.id));
  expect(made.size).toBeLessThanOrEqual(1);
  for (const reply of replies) expect([undefined, 201, 409, 502, 503]).toContain(reply?.status);

  const state = await books.state();
  for (const { who, currency, amount, bank } of due) {
    const row = rows.find((each) => each.payee_id === who.id && each.currency === currency);
    const isKept = bank === BANKS.takes;
    const ofIt = (made: { metadata: { payoutId?: string } }) => made.metadata.payoutId === row?.id;
    const share = toStripe({ amount: shareOf(amount), currency });
    expect(state.transfers.filter(ofIt).map((made: { amount: number }) => made.amount)).toEqual([share]);
    const atTheBank: { amount: number; status: string }[] = state.connected_payouts[who.account].filter(ofIt);
    expect(atTheBank.map((each) => [each.amount, each.status])).toEqual([[share, isKept ? 'paid' : 'failed']]);
    expect(row?.status).toBe(isKept ? 'completed' : 'failed');
    const { balances } = (await who.see('/api/wallet')).body;
    const shown = balances.find((each: { currency: string }) => each.currency === currency);
    const [paidOut, payable] = isKept ? [shareOf(amount), 0] : [0, shareOf(amount)];
    expect(shown).toMatchObject({ paidOut, payable, pending: 0, inPayout: 0, debt: 0 });
  }
  await expectSound();

  const last = (bank: string) => (bank === BANKS.takes ? 'payout_completed' : 'payout_failed');
  const news = due.map(({ who, bank }) => `${who.id} ${last(bank)}`).toSorted();
  await eventually(
    'each payee is told once what became of theirs',
    async () => {
      const told = await platform.database('notification')<{ news: string }[]>`
        select recipient_id || ' ' || template as news from notifications where template like 'payout_%'`;
      return news.every((each) => told.some((row) => row.news === each));
    },
    SETTLED_WITHIN_MS,
  );
  const told = await platform.database('notification')<{ news: string; count: number }[]>`
    select recipient_id || ' ' || template as news, count(*)::int from notifications
    where template like 'payout_%' group by 1`;
  for (const row of told) {
    const most = news.filter((each) => each === row.news).length;
    // Who was told that it arrived before the bank sent it back is told both.
    expect([row.news, row.count]).toEqual([row.news, most || 1]);
  }
});

/** Monday's hour in a week that lies `back` weeks before this one. */
const mondayOf = (back: number) => nextMonday(Date.now(), PAYOUT_HOUR).getTime() - (back + 1) * 7 * DAY;
/** Asks the Schedule for what it would have done around an instant. */
const madeUp = (atMs: number) => schedule().backfill({ start: new Date(atMs - HOUR), end: new Date(atMs + HOUR) });

test('a week that was missed is made up for by one run of that week, a window without a Monday’s hour by none, and twice it pays nobody twice', async () => {
  const monday = mondayOf(3);
  const who = somebody();
  const count = (await payouts()).length;
  const before = await runs();
  const newRun = () =>
    eventually('the Schedule has made it up', async () => (await runs()).find((id) => !before.includes(id)));
  await earn(who, [{ amount: 4_000, currency: 'EUR' }]);
  await madeUp(monday - DAY);
  await madeUp(monday);
  const id = await newRun();
  const at = `${new Date(monday).toISOString().slice(0, 19)}Z`;
  expect(id).toBe(`${weeklyPayoutsSchedule.scheduleId}-${at}`);
  expect(await resultOf(id)).toMatchObject({ week: isoWeekOf(monday), opened: 1, failed: 0 });
  const rows = await untilSettled(count + 1);

  await earn(who, [{ amount: 4_000, currency: 'EUR' }]);
  await madeUp(monday);
  await eventually('it is made up for again', async () => (await runs()).filter((run) => run === id).length === 2);
  expect(await resultOf(id)).toMatchObject({ week: isoWeekOf(monday), opened: 0 });
  expect(await payouts()).toHaveLength(rows.length);
  expect((await runs()).filter((run) => !before.includes(run))).toEqual([id, id]);
  await expectSound();
});

test('no saga of it needs an operator', async () => {
  const { count } = await platform.temporal.workflow.count("SagaState = 'NeedsAttention'");
  expect(count).toBe(0);
  const failed = await platform.temporal.workflow.count(
    "ExecutionStatus IN ('Failed', 'TimedOut', 'Terminated') AND WorkflowType IN ('payout', 'weeklyPayouts')",
  );
  expect(failed.count).toBe(0);
});
