import { firstName, logInAsAdmin, type Person, register } from './cast';
import type { DatabaseHolder } from './database-holder';
import { eventually, expectThat } from './gateway';
import type { DisputedAtStripe, StripeView } from './outside';
import { expectMails, type Stage } from './stage';
import type { Timeline } from './timeline';
import { type DemoDispute, disputeSchema, disputesSchema, inWords, when } from './wire';

/** What a card's holder can claim, in Stripe's word, and in ours. */
const CLAIMS = { fraudulent: 'she never paid this', product_not_received: 'she got nothing for it' } as const;

/** Stripe takes it for each dispute, whoever wins: 20.00, as `dev/stripe-sandbox/objects/balance.ts` says. In minor units. */
export const STRIPES_FEE = 2_000;

/** What a dispute is played with. */
interface DisputeScene {
  stage: Stage;
  stripe: StripeView;
  holder: DatabaseHolder;
  timeline: Timeline;
}

/** Undefined, with a sentence, where something is not embedded that the stories of disputes need. */
export function disputeScene(stage: Stage, timeline: Timeline): DisputeScene | undefined {
  const { stripe, holder } = stage;
  const leftOut = (why: string) => timeline.aside(`left out: ${why}`);
  if (!stripe) return void leftOut('only in the sandbox a script can say what a bank does');
  if (!holder) return void leftOut('the demo makes somebody an administrator in an embedded Postgres only');
  return { stage, stripe, holder, timeline };
}

/** The bank of who paid takes a payment back. @returns the dispute, as the tutor sees it, who is told by mail too */
export async function isDisputed(
  { stage, stripe, timeline }: DisputeScene,
  { payer, tutor, paymentId, claim }: { payer: Person; tutor: Person; paymentId: string; claim: keyof typeof CLAIMS },
): Promise<DemoDispute> {
  await stripe.dispute(paymentId, claim);
  timeline.step(`${firstName(payer)}'s bank takes the payment back: she says that ${CLAIMS[claim]}`, { note: claim });
  const dispute = await eventually(`a dispute of payment ${paymentId}`, async () => {
    const { body } = await stage.gateway(timeline, disputesSchema, 'GET', '/api/disputes?open=true', {
      token: tutor.token,
      expect: [200],
    });
    return body.items.find((one) => one.paymentId === paymentId);
  });
  const { id, status, reason, editableUntil } = dispute;
  timeline.step(`${firstName(tutor)} sees a dispute of ${inWords(dispute.amount)}`, { status: 200, note: id });
  const is = `${status}, ${reason}`;
  const until = editableUntil === null ? 'never' : when(editableUntil);
  expectThat(
    timeline,
    `she can say something until ${until}`,
    is === `needs_response, ${claim}` && editableUntil !== null,
    is,
  );
  await expectMails(stage, timeline, id, [tutor], 'to you is disputed');
  return dispute;
}

/** Reads a dispute as its tutor sees it, until the bank has decided so, and their mail says it. */
export async function untilDecided(
  { stage, timeline }: DisputeScene,
  tutor: Person,
  { id }: DemoDispute,
  wanted: 'won' | 'lost',
): Promise<DemoDispute> {
  const decided = await eventually(`dispute ${id}, ${wanted}`, async () => {
    const { body } = await stage.gateway(timeline, disputeSchema, 'GET', `/api/disputes/${id}`, {
      token: tutor.token,
      expect: [200],
    });
    return body.status === wanted ? body : undefined;
  });
  timeline.step(`  … ${wanted}: the bank keeps ${inWords(decided.withdrawn)}`);
  await expectMails(stage, timeline, id, [tutor], `${wanted === 'won' ? 'Won' : 'Lost'}: the dispute of`);
  return decided;
}

/** Checks at Stripe what a payment's dispute took, and that the ledger has the same of the payment in Stripe's balance. */
export async function expectDisputed(
  { stripe, holder, timeline }: DisputeScene,
  paymentId: string,
  expected: DisputedAtStripe,
): Promise<void> {
  const inOrder = ({ taken, givenBack, fee }: DisputedAtStripe) =>
    `${taken} taken, ${givenBack} given back, ${fee} kept as Stripe's fee`;
  const is = inOrder(await stripe.disputedOf(paymentId));
  expectThat(timeline, `at Stripe: ${inOrder(expected)}`, is === inOrder(expected), is);
  const inBalance = await eventually(`a ledger that has of payment ${paymentId} what Stripe has`, async () => {
    const atStripe = await stripe.balanceOf(paymentId);
    return (await holder.ledgerOf(paymentId)) === atStripe ? atStripe : undefined;
  });
  timeline.held(`of this payment Stripe's balance has ${inBalance} after all fees, and the ledger has the same`);
}

/** Somebody who may send evidence and give disputes up. Nobody can register as that. */
export async function administrator({ stage, holder, timeline }: DisputeScene): Promise<Person> {
  const { gateway, run } = stage;
  const who = { firstName: 'Katherine', lastName: 'Johnson', role: 'student', run } as const;
  const person = await register(gateway, timeline, who);
  const secret = await holder.makeAdmin(person.email);
  timeline.step("  … is made an administrator in identity's database, as by `npm run grant-admin`");
  return logInAsAdmin(gateway, timeline, person, secret);
}
