import type { Person } from './cast';
import { disputeScene, expectDisputed, isDisputed, STRIPES_FEE, untilDecided } from './disputed';
import { askInVain, euros, expectWallet, letDaysPass, payForLessons, restingUntil } from './earnings';
import { ExpectationError, expectThat } from './gateway';
import type { PaidOut } from './paid-out';
import type { Stage } from './stage';
import type { StoryOutcome } from './timeline';
import { disputeSchema } from './wire';

const NEXT_LESSONS = [{ amount: 8_000, description: 'Four lessons in advance' }] as const;

/**
 * Story G: a payment that was paid out is disputed and given up, its tutor owes their share of it, and what they earn next pays that.
 * `paidOut` and `admin` are left out where the stories were that they come from.
 */
export async function disputeLost(
  stage: Stage,
  student: Person,
  { paidOut, admin }: { paidOut: PaidOut | undefined; admin: Person | undefined },
): Promise<StoryOutcome | undefined> {
  const { gateway, calendar, sagaUrl } = stage;
  const timeline = stage.timeline.of('lost');
  stage.timeline.heading('G  A payment is lost that was paid out already, and what is earned next pays for it');
  const scene = disputeScene(stage, timeline);
  if (!scene) return undefined;
  if (!paidOut || !admin || !calendar)
    return void timeline.aside('left out: it needs the payout and the administrator of other stories');

  const { tutor, paid } = paidOut;
  const [lesson] = paid;
  if (!lesson) throw new ExpectationError(`${tutor.name} was paid out nothing`);
  const { paymentId, amount, share } = lesson;
  const atBank = paid.reduce((sum, one) => sum + one.share, 0);
  await expectWallet(stage, timeline, tutor, { paidOut: atBank });
  const dispute = await isDisputed(scene, { payer: student, tutor, paymentId, claim: 'product_not_received' });
  await expectWallet(stage, timeline, tutor, { paidOut: atBank, frozen: share, debt: share });

  timeline.aside('Mary has nothing to say');
  const { body: given } = await gateway(timeline, disputeSchema, 'POST', `/api/disputes/${dispute.id}/accept`, {
    token: admin.token,
    body: { reason: 'Mary has nothing to say' },
    expect: [200],
    what: 'Katherine gives it up, for good',
  });
  expectThat(timeline, 'it is given up', given.accepted, given.status);
  const lost = await untilDecided(scene, tutor, dispute, 'lost');
  await expectWallet(stage, timeline, tutor, { paidOut: atBank, debt: share });
  await expectDisputed(scene, paymentId, { taken: amount, givenBack: 0, fee: STRIPES_FEE });
  timeline.aside(`saga ${sagaUrl(lost.workflowId)}`);

  const next = await payForLessons(stage, timeline, { student, tutor, lessons: NEXT_LESSONS, story: 'lost' });
  const earned = next.reduce((sum, one) => sum + one.share, 0);
  const until = await restingUntil(stage, timeline, tutor, next);
  if (until !== null) {
    await expectWallet(stage, timeline, tutor, { paidOut: atBank, pending: earned, debt: share });
    await askInVain(stage, timeline, tutor, { what: 'Mary asks for a payout today', story: 'lost' });
    await letDaysPass(stage, calendar, timeline, { tutor, paid: next, until });
  }
  await expectWallet(stage, timeline, tutor, { paidOut: atBank, payable: earned - share });
  const outcome = `lost, ${euros(share)} owed and paid by what came next`;
  return { story: 'G', what: 'Dispute after the payout', id: lost.id, outcome };
}
