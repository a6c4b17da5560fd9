import { HOURLY_PRICE, type Person, register } from './cast';
import {
  askInVain,
  euros,
  expectWallet,
  letDaysPass,
  type PaidLesson,
  payForLessons,
  restingUntil,
  walletOf,
} from './earnings';
import { eventually, expectThat } from './gateway';
import { BANK_ACCOUNTS, tellStripe } from './onboarding';
import type { MovedAtStripe, StripeView } from './outside';
import { expectMails, type Stage } from './stage';
import type { StoryOutcome, Timeline } from './timeline';
import { type DemoPayout, payoutAccountSchema, payoutSchema, when } from './wire';

const { currency: CURRENCY } = HOURLY_PRICE;
const LESSONS = [
  { amount: 6_000, description: 'Exam preparation on two evenings' },
  { amount: 4_000, description: 'A mock exam, marked' },
] as const;

/** A tutor who was paid out all that they had earned by these lessons. */
export interface PaidOut {
  tutor: Person;
  paid: PaidLesson[];
  outcome: StoryOutcome;
}

/** Story E: a week's earnings are paid out, the bank rejects them, the tutor mends her account, and the next payout arrives. */
export async function paidOut(stage: Stage, student: Person): Promise<PaidOut | undefined> {
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
  const paid = await payForLessons(stage, timeline, { student, tutor, lessons: LESSONS, story: 'payout' });
  const shares = paid.map(({ share }) => share);
  const earned = shares.reduce((sum, share) => sum + share, 0);
  const until = await restingUntil(stage, timeline, tutor, paid);
  if (until !== null) {
    await askInVain(stage, timeline, tutor, { what: 'Mary asks for a payout today', story: 'payout' });
    await letDaysPass(stage, calendar, timeline, { tutor, paid, until });
  }
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
  const outcome = {
    story: 'E',
    what: 'Payout to a closed bank account',
    id: arrived.id,
    outcome: `rejected, mended, ${euros(earned)} at the bank`,
  };
  return { tutor, paid, outcome };
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
