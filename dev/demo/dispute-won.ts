import { freeSlot, type Person, SUBJECT } from './cast';
import { administrator, disputeScene, expectDisputed, isDisputed, STRIPES_FEE, untilDecided } from './disputed';
import { expectWallet, shareOf } from './earnings';
import { ExpectationError, expectThat } from './gateway';
import { book, type Stage } from './stage';
import type { StoryOutcome, Timeline } from './timeline';
import { bookingSchema, type DemoDispute, disputeSchema, inWords, when } from './wire';

/** In Stripe's test mode these words win, and only these. A person says what happened. */
const WINNING_WORDS = 'winning_evidence';

/** Story F: the student's bank takes a payment back, the tutor says what speaks against that, and it comes back but for Stripe's fee. */
export async function disputeWon(
  stage: Stage,
  student: Person,
  tutor: Person,
): Promise<{ admin: Person; outcome: StoryOutcome } | undefined> {
  const { gateway, sagaUrl } = stage;
  const timeline = stage.timeline.of('won');
  stage.timeline.heading('F  A bank takes a payment back, the tutor objects, and the money is back but for a fee');
  const scene = disputeScene(stage, timeline);
  if (!scene) return undefined;

  const { paymentId, price } = await bookAndConfirm(stage, timeline, student, tutor);
  const { amount } = price;
  const share = await shareOf(stage, timeline, tutor, paymentId);
  await expectWallet(stage, timeline, tutor, { pending: share });
  const dispute = await isDisputed(scene, { payer: student, tutor, paymentId, claim: 'fraudulent' });
  await expectWallet(stage, timeline, tutor, { frozen: share });
  await expectDisputed(scene, paymentId, { taken: amount, givenBack: 0, fee: STRIPES_FEE });

  await object(stage, timeline, tutor, dispute);
  const admin = await administrator(scene);
  const { body: sent } = await gateway(timeline, disputeSchema, 'POST', `/api/disputes/${dispute.id}/submit`, {
    token: admin.token,
    body: { reason: 'The session took place' },
    expect: [200],
    what: 'Katherine sends it to the bank, which takes it once',
  });
  expectThat(timeline, 'the bank reads it', sent.status === 'under_review', sent.status);
  const { uncategorized_text: words, ...known } = await scene.stripe.evidenceOf(paymentId);
  expectThat(timeline, 'at Stripe: what Emmy says', words === WINNING_WORDS, words);
  timeline.aside(`with what the platform knows of the session: ${Object.keys(known).join(', ') || 'nothing yet'}`);

  const won = await untilDecided(scene, tutor, dispute, 'won');
  await expectWallet(stage, timeline, tutor, { pending: share });
  await expectDisputed(scene, paymentId, { taken: amount, givenBack: amount, fee: STRIPES_FEE });
  timeline.aside(`saga ${sagaUrl(won.workflowId)}`);
  const outcome = `won, ${inWords(price)} back, ${inWords({ ...price, amount: STRIPES_FEE })} gone`;
  return { admin, outcome: { story: 'F', what: 'Dispute of a booking', id: won.id, outcome } };
}

/** Has the student book a session and the tutor confirm it. @returns the payment, and what was paid */
async function bookAndConfirm(stage: Stage, timeline: Timeline, student: Person, tutor: Person) {
  const start = await freeSlot(stage.gateway, timeline, tutor, 90);
  const { body: asked } = await book(
    stage,
    timeline,
    { student, tutor, subject: SUBJECT, start, paymentMethodId: 'pm_card_visa', story: 'won' },
    { status: [201], what: `Ada asks for ${when(start)}` },
  );
  const { body: confirmed } = await stage.gateway(
    timeline,
    bookingSchema,
    'POST',
    `/api/bookings/${asked.id}/confirm`,
    { token: tutor.token, expect: [200], what: 'Emmy confirms' },
  );
  const { payment, price } = confirmed;
  if (payment?.status !== 'captured') throw new ExpectationError(`Booking ${asked.id} should have been paid`);
  return { paymentId: payment.id, price };
}

/** The tutor says what speaks against a dispute. */
async function object(stage: Stage, timeline: Timeline, tutor: Person, { id }: DemoDispute): Promise<void> {
  const { body } = await stage.gateway(timeline, disputeSchema, 'PUT', `/api/disputes/${id}/evidence`, {
    token: tutor.token,
    body: { text: WINNING_WORDS },
    expect: [200],
    what: `Emmy says what speaks against it: “${WINNING_WORDS}”`,
  });
  expectThat(timeline, 'it is noted, and not sent', body.statement === WINNING_WORDS, body.statement ?? 'nothing');
  timeline.aside(
    "these words win in Stripe's test mode; by itself the saga sends what there is a day before it is too late",
  );
}
