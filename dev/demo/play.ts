import { tutorWhoConfirms } from './confirmed';
import { declinedCard } from './declined';
import { disputeLost } from './dispute-lost';
import { disputeWon } from './dispute-won';
import { instantTutor } from './instant';
import { killedWorker } from './killed-worker';
import { paidOut } from './paid-out';
import type { Stage } from './stage';
import type { StoryOutcome } from './timeline';

/**
 * Plays the seven stories. E, B, C, F and G are played while D waits for Temporal. E comes first: where the process that was killed has all
 * workers, its sign-up waits until they are back, and in B and C a person is answered at once.
 * @throws ExpectationError at the first thing that is not as it should be
 */
export async function play(stage: Stage): Promise<StoryOutcome[]> {
  const { student, tutor, outcome } = await instantTutor(stage);
  const crash = await killedWorker(stage, student, tutor);
  const arrived = await paidOut(stage, student);
  const declined = await declinedCard(stage, student, tutor);
  const confirmed = await tutorWhoConfirms(stage, student);
  const won = await disputeWon(stage, student, confirmed.tutor);
  const lost = await disputeLost(stage, student, { paidOut: arrived, admin: won?.admin });
  if (crash) stage.timeline.heading('D  … and what became of the booking whose worker was killed');
  const survived = await crash?.rest();
  return [outcome, declined, confirmed.outcome, survived, arrived?.outcome, won?.outcome, lost].filter(
    (one) => one !== undefined,
  );
}
