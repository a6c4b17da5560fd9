import { setTimeout as sleep } from 'node:timers/promises';
import type { Calendar } from './calendar';
import { HOURLY_PRICE, type Person, register } from './cast';
import { ExpectationError, expectThat } from './gateway';
import { BANK_ACCOUNTS, tellStripe } from './onboarding';
import type { MovedAtStripe, StripeView } from './outside';
import { expectMails, type Stage } from './stage';
import type { StoryOutcome, Timeline } from './timeline';
import {
  type DemoBalance,
  type DemoPayout,
  type DemoWallet,
  directPaymentSchema,
  entriesSchema,
  inWords,
  payoutAccountSchema,
  payoutSchema,
  refusedSchema,
  walletSchema,
  when,
} from './wire';

const { currency: CURRENCY } = HOURLY_PRICE;
const LESSONS = [
  { amount: 6_000, description: 'Exam preparation on two evenings' },
  { amount: 4_000, description: 'A mock exam, marked' },
] as const;
const PAID = LESSONS.reduce((sum, { amount }) => sum + amount, 0);
const DAY_MS = 86_400_000;

/** Webhooks bring news within a second. One that is lost is made up for by the sagas, which ask a minute later at first. */
const NEWS_WITHIN_MS = 120_000;
const LOOK_EVERY_MS = 200;

const euros = (amount: number) => inWords({ amount, currency: CURRENCY });

/** Story E: a week's earnings are paid out, the bank rejects them, the tutor mends her account, and the next payout arrives. */
export async function paidOut(stage: Stage, student: Person): Promise<StoryOutcome | undefined> {
  const { run, stripe, calendar, sagaUrl } = stage;
  const timeline = stage.timeline.of('payout');
  stage.timeline.heading("E  A week's earnings are paid out, come back from the bank, and arrive at another account");
  const leftOut = (why: string) => timeline.aside(`left out: ${why}`);
  if (!stripe) return void leftOut('only the sandbox has an onboarding page that a script can fill in');
  if (!calendar) return void leftOut('earnings rest for days, which the demo lets pass in an embedded Postgres only');

  const tutor = await register(stage.gateway, timeline, {
    firstName: 'Mary',
    lastName: 'Somerville',
    role: 'tutor',
    run,
  });
  await tellStripe(
    stage,
    timeline,
    tutor,
    BANK_ACCOUNTS.closed,
    '  … and says there who she is, with an old bank account',
  );
  timeline.aside("it is Stripe's test number of an account that is closed; a real bank says so after days");
  const { paymentIds, shares } = await earn(stage, timeline, student, tutor);
  const earned = shares.reduce((sum, share) => sum + share, 0);
  await restAWeek(stage, calendar, timeline, tutor, paymentIds);
  await expectWallet(stage, timeline, tutor, { payable: earned });

  const { nextPayoutAt } = await walletOf(stage, timeline, tutor);
  timeline.aside(
    `by itself it goes out on ${when(nextPayoutAt)}: the Schedule pays everybody, so the demo does not trigger it`,
  );
  const rejected = await askForPayout(stage, timeline, tutor, 'first');
  const back = await untilPayout(stage, timeline, tutor, rejected, {
    what: 'rejected, and payable again',
    is: ({ status, returnedAt }) => status === 'failed' && returnedAt !== null,
  });
  const reason = back.failure?.text ?? '';
  expectThat(timeline, `her bank's reason, in words: ${reason}`, back.failure?.code === 'account_closed', reason);
  await expectMails(stage, timeline, back.id, [tutor], 'did not arrive', reason);
  await expectWallet(stage, timeline, tutor, { payable: earned });
  await expectMoved(stripe, timeline, tutor, {
    ...{ transferred: earned, reversed: earned, platformGave: 0, atAccount: 0, atBank: 0 },
  });
  timeline.aside(`saga ${sagaUrl(back.workflowId)}`);

  await expectBankIsDue(stage, timeline, tutor);
  await tellStripe(stage, timeline, tutor, BANK_ACCOUNTS.good, '  … and gives the new bank account there');
  const again = await askForPayout(stage, timeline, tutor, 'second');
  const arrived = await untilPayout(stage, timeline, tutor, again, {
    what: 'completed',
    is: ({ status }) => status === 'completed',
  });
  const parts = [...shares, earned].map((amount) => (amount / 100).toFixed(2));
  await expectMails(stage, timeline, arrived.id, [tutor], 'is at your bank', ...parts);
  await expectWallet(stage, timeline, tutor, { paidOut: earned });
  await expectMoved(stripe, timeline, tutor, {
    ...{ transferred: 2 * earned, reversed: earned, platformGave: earned, atAccount: 0, atBank: earned },
  });
  timeline.aside('a bank may send back what Stripe calls paid: the saga watches for five business days more');
  timeline.aside(`saga ${sagaUrl(arrived.workflowId)}`);
  return {
    story: 'E',
    what: 'Payout to a closed bank account',
    id: arrived.id,
    outcome: `rejected, mended, ${euros(earned)} at the bank`,
  };
}

/** Has a student pay the tutor directly. @returns the payments, and what the tutor has of each in minor units */
async function earn(
  { gateway, run }: Stage,
  timeline: Timeline,
  student: Person,
  tutor: Person,
): Promise<{ paymentIds: string[]; shares: number[] }> {
  const paymentIds: string[] = [];
  for (const { amount, description } of LESSONS) {
    const { body } = await gateway(timeline, directPaymentSchema, 'POST', '/api/payments', {
      token: student.token,
      key: `demo-${run}-lesson-${paymentIds.length}`,
      body: {
        ...{ payeeId: tutor.id, amount: { amount, currency: CURRENCY }, description },
        paymentMethodId: 'pm_card_bypassPending',
      },
      expect: [201, 202],
      what: `Ada pays Mary ${euros(amount)}: ${description}`,
      note: (reply) => directPaymentSchema.safeParse(reply).data?.id,
    });
    paymentIds.push(body.id);
  }
  timeline.aside('Stripe has the money of this test card at once (pm_card_bypassPending), of others after days');
  const shares = await eventually(`${tutor.name} has earned from both`, async () => {
    const path = `/api/wallet/entries?currency=${CURRENCY}`;
    const { body } = await gateway(timeline, entriesSchema, 'GET', path, { token: tutor.token, expect: [200] });
    const found = paymentIds.map((id) => body.items.find(({ paymentId }) => paymentId === id)?.amount);
    const known = found.filter((amount) => amount !== undefined);
    return known.length === LESSONS.length ? known : undefined;
  });
  return { paymentIds, shares };
}

/** Lets the time pass for which earnings rest, for these payments alone. */
async function restAWeek(
  stage: Stage,
  calendar: Calendar,
  timeline: Timeline,
  tutor: Person,
  paymentIds: readonly string[],
): Promise<void> {
  const resting = await eventually('a day from which the earnings are payable', async () => {
    const balance = await balanceOf(stage, timeline, tutor);
    return balance && (balance.nextPayableAt !== null || balance.pending === 0) ? balance : undefined;
  });
  // EARNINGS_HOLD_DAYS may be 0.
  if (resting.nextPayableAt === null) return;
  const share = `${euros(resting.pending)} of ${euros(PAID)}`;
  timeline.step(`${share} are hers, and payable from ${when(resting.nextPayableAt)} on`);
  await stage.gateway(timeline, refusedSchema, 'POST', '/api/payouts/initiate', {
    token: tutor.token,
    key: `demo-${stage.run}-payout-early`,
    body: {},
    expect: [409],
    what: 'Mary asks for a payout today',
    note: (reply) => refusedSchema.safeParse(reply).data?.code,
  });
  const days = Math.ceil((Date.parse(resting.nextPayableAt) - Date.now()) / DAY_MS);
  await calendar.letEarningsFallDue(paymentIds);
  timeline.step(`${days} days pass for these two payments, and for nothing else`);
  timeline.aside("the demo sets their day to now in payment's database; no rule and nobody else's money is touched");
  await calendar.sweepNow();
  timeline.step('The sweep, whose Schedule is triggered, makes payable what is due');
  await eventually('earnings that are payable', async () => {
    const balance = await balanceOf(stage, timeline, tutor);
    return balance?.pending === 0 ? balance : undefined;
  });
}

async function askForPayout(
  { gateway, run }: Stage,
  timeline: Timeline,
  tutor: Person,
  which: 'first' | 'second',
): Promise<DemoPayout> {
  const { body } = await gateway(timeline, payoutSchema, 'POST', '/api/payouts/initiate', {
    token: tutor.token,
    key: `demo-${run}-payout-${which}`,
    body: {},
    expect: [201],
    what: which === 'first' ? 'Mary asks for a payout' : 'Mary asks again',
    note: (reply) => payoutSchema.safeParse(reply).data?.id,
  });
  return body;
}

/** Reads a payout until it is as wanted, and shows each of its states on the way. @throws ExpectationError when it is not in time */
async function untilPayout(
  { gateway }: Stage,
  timeline: Timeline,
  tutor: Person,
  asked: DemoPayout,
  wanted: { what: string; is: (payout: DemoPayout) => boolean },
): Promise<DemoPayout> {
  let shown = '';
  const path = `/api/payouts/${asked.id}`;
  return eventually(`payout ${asked.id}, ${wanted.what}`, async () => {
    const { body } = await gateway(timeline, payoutSchema, 'GET', path, { token: tutor.token, expect: [200] });
    const { status, statusText } = body;
    if (statusText !== shown) timeline.step(`  … ${status}: ${statusText}`);
    shown = statusText;
    return wanted.is(body) ? body : undefined;
  });
}

async function expectBankIsDue({ gateway }: Stage, timeline: Timeline, tutor: Person): Promise<void> {
  const { body } = await gateway(timeline, payoutAccountSchema, 'GET', '/api/payouts/account', {
    token: tutor.token,
    expect: [200],
  });
  const due = [body.status, ...body.currentlyDue].join(', ');
  expectThat(timeline, 'Stripe asks for another bank account', due === 'restricted, external_account', due);
}

async function walletOf({ gateway }: Stage, timeline: Timeline, { token }: Person): Promise<DemoWallet> {
  return (await gateway(timeline, walletSchema, 'GET', '/api/wallet', { token, expect: [200] })).body;
}

async function balanceOf(stage: Stage, timeline: Timeline, tutor: Person): Promise<DemoBalance | undefined> {
  const { balances } = await walletOf(stage, timeline, tutor);
  return balances.find(({ currency }) => currency === CURRENCY);
}

/** Checks what the wallet shows to the cent. What is not named is nothing. */
async function expectWallet(
  stage: Stage,
  timeline: Timeline,
  tutor: Person,
  named: { payable?: number; paidOut?: number },
): Promise<void> {
  const { payable = 0, paidOut: atBank = 0 } = named;
  const inOrder = (of: Pick<DemoBalance, 'pending' | 'payable' | 'inPayout' | 'paidOut'>) =>
    `${of.pending} pending, ${of.payable} payable, ${of.inPayout} in payouts, ${of.paidOut} paid out`;
  const expected = inOrder({ pending: 0, payable, inPayout: 0, paidOut: atBank });
  const balance = await balanceOf(stage, timeline, tutor);
  const shown = balance ? inOrder(balance) : 'nothing';
  expectThat(timeline, `the wallet: ${expected}`, shown === expected, shown);
}

/** Checks at Stripe itself what was moved to the tutor. */
async function expectMoved(
  stripe: StripeView,
  timeline: Timeline,
  tutor: Person,
  expected: MovedAtStripe,
): Promise<void> {
  const inOrder = ({ transferred, reversed, platformGave, atAccount, atBank }: MovedAtStripe) =>
    `${transferred} transferred, ${reversed} fetched back: ${platformGave} less at the platform, ${atAccount} at her account, ${atBank} at her bank`;
  const moved = inOrder(await stripe.movedTo(tutor.id, CURRENCY));
  expectThat(timeline, `at Stripe: ${inOrder(expected)}`, moved === inOrder(expected), moved);
}

/** Looks until there is something. @throws ExpectationError when there is not in time */
async function eventually<T>(what: string, look: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + NEWS_WITHIN_MS;
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    if (performance.now() > deadline)
      throw new ExpectationError(`Expected within ${NEWS_WITHIN_MS / 1_000} s, and not seen: ${what}`);
    await sleep(LOOK_EVERY_MS);
  }
}
