import type { Calendar } from './calendar';
import { firstName, HOURLY_PRICE, type Person } from './cast';
import { eventually, expectThat } from './gateway';
import type { Stage } from './stage';
import type { Timeline } from './timeline';
import {
  type DemoBalance,
  type DemoWallet,
  directPaymentSchema,
  entriesSchema,
  inWords,
  refusedSchema,
  walletSchema,
  when,
} from './wire';

// What a tutor earns by direct payments, from what moment on, and what their wallet shows of it.

const { currency: CURRENCY } = HOURLY_PRICE;
const DAY_MS = 86_400_000;

/** An amount of the demo's currency, of its minor units. */
export const euros = (amount: number) => inWords({ amount, currency: CURRENCY });

/** What somebody is paid for. `amount` in minor units. */
interface Lesson {
  amount: number;
  description: string;
}

/** Lessons that were paid: what was paid, and what their tutor has of it, in minor units. */
export interface PaidLesson {
  paymentId: string;
  amount: number;
  share: number;
}

/** Has a student pay the tutor directly, by a card whose money Stripe has at once. `story` names the request. */
export async function payForLessons(
  stage: Stage,
  timeline: Timeline,
  { student, tutor, lessons, story }: { student: Person; tutor: Person; lessons: readonly Lesson[]; story: string },
): Promise<PaidLesson[]> {
  const { gateway, run } = stage;
  const paid: Omit<PaidLesson, 'share'>[] = [];
  for (const { amount, description } of lessons) {
    const { body } = await gateway(timeline, directPaymentSchema, 'POST', '/api/payments', {
      token: student.token,
      key: `demo-${run}-${story}-lesson-${paid.length}`,
      body: {
        ...{ payeeId: tutor.id, amount: { amount, currency: CURRENCY }, description },
        paymentMethodId: 'pm_card_bypassPending',
      },
      expect: [201, 202],
      what: `${firstName(student)} pays ${firstName(tutor)} ${euros(amount)}: ${description}`,
      note: (reply) => directPaymentSchema.safeParse(reply).data?.id,
    });
    paid.push({ amount, paymentId: body.id });
  }
  timeline.aside('Stripe has the money of this test card at once (pm_card_bypassPending), of others after days');
  return Promise.all(
    paid.map(async (one) => ({ ...one, share: await shareOf(stage, timeline, tutor, one.paymentId) })),
  );
}

/** Waits until a tutor has earned by a payment. @returns what they have of it, in minor units */
export async function shareOf(
  { gateway }: Stage,
  timeline: Timeline,
  { name, token }: Person,
  paymentId: string,
): Promise<number> {
  const path = `/api/wallet/entries?currency=${CURRENCY}`;
  return eventually(`what ${name} has earned by payment ${paymentId}`, async () => {
    const { body } = await gateway(timeline, entriesSchema, 'GET', path, { token, expect: [200] });
    return body.items.find((entry) => entry.paymentId === paymentId && entry.kind === 'earned')?.amount;
  });
}

/** Waits until it is said from when on what a tutor has earned of `paid` is payable. @returns that day; null: it is so already */
export async function restingUntil(
  stage: Stage,
  timeline: Timeline,
  tutor: Person,
  paid: readonly PaidLesson[],
): Promise<string | null> {
  const resting = await eventually('a day from which the earnings are payable', async () => {
    const balance = await balanceOf(stage, timeline, tutor);
    return balance && (balance.nextPayableAt !== null || balance.pending === 0) ? balance : undefined;
  });
  // EARNINGS_HOLD_DAYS may be 0.
  if (resting.nextPayableAt === null) return null;
  const share = `${euros(resting.pending)} of ${euros(paid.reduce((sum, { amount }) => sum + amount, 0))}`;
  timeline.step(`${share} are hers, and payable from ${when(resting.nextPayableAt)} on`);
  return resting.nextPayableAt;
}

/** Lets the time pass for which earnings rest, for these payments alone, and waits until they are payable. */
export async function letDaysPass(
  stage: Stage,
  calendar: Calendar,
  timeline: Timeline,
  { tutor, paid, until }: { tutor: Person; paid: readonly PaidLesson[]; until: string },
): Promise<void> {
  const days = Math.ceil((Date.parse(until) - Date.now()) / DAY_MS);
  await calendar.letEarningsFallDue(paid.map(({ paymentId }) => paymentId));
  const these = paid.length === 1 ? 'this payment' : 'these payments';
  timeline.step(`${days} days pass for ${these}, and for nothing else`);
  timeline.aside("the demo sets their day to now in payment's database; no rule and nobody else's money is touched");
  await calendar.sweepNow();
  timeline.step('The sweep, whose Schedule is triggered, makes payable what is due');
  await eventually('earnings that are payable', async () => {
    const balance = await balanceOf(stage, timeline, tutor);
    return balance?.pending === 0 ? balance : undefined;
  });
}

/** Has a tutor ask for a payout of which there is nothing to pay. */
export async function askInVain(
  { gateway, run }: Stage,
  timeline: Timeline,
  tutor: Person,
  { what, story }: { what: string; story: string },
): Promise<void> {
  const { body } = await gateway(timeline, refusedSchema, 'POST', '/api/payouts/initiate', {
    token: tutor.token,
    key: `demo-${run}-${story}-in-vain`,
    body: {},
    expect: [409],
    what,
    note: (reply) => refusedSchema.safeParse(reply).data?.code,
  });
  expectThat(timeline, 'there is nothing to pay out', body.code === 'nothing_to_pay', body.code);
}

export async function walletOf({ gateway }: Stage, timeline: Timeline, { token }: Person): Promise<DemoWallet> {
  return (await gateway(timeline, walletSchema, 'GET', '/api/wallet', { token, expect: [200] })).body;
}

async function balanceOf(stage: Stage, timeline: Timeline, tutor: Person): Promise<DemoBalance | undefined> {
  const { balances } = await walletOf(stage, timeline, tutor);
  return balances.find(({ currency }) => currency === CURRENCY);
}

type Shown = Pick<DemoBalance, 'pending' | 'payable' | 'frozen' | 'inPayout' | 'paidOut' | 'debt'>;
const NOTHING: Shown = { pending: 0, payable: 0, frozen: 0, inPayout: 0, paidOut: 0, debt: 0 };

/** Checks what the wallet shows to the cent. What is not named is nothing. */
export async function expectWallet(
  stage: Stage,
  timeline: Timeline,
  tutor: Person,
  named: Partial<Shown>,
): Promise<void> {
  const inOrder = ({ pending, payable, frozen, inPayout, paidOut, debt }: Shown) =>
    `${pending} pending, ${payable} payable, ${frozen} frozen, ${inPayout} in payouts, ${paidOut} paid out, ${debt} owed`;
  const expected = inOrder({ ...NOTHING, ...named });
  const balance = await balanceOf(stage, timeline, tutor);
  const shown = balance ? inOrder(balance) : 'nothing';
  expectThat(timeline, `the wallet: ${expected}`, shown === expected, shown);
}
