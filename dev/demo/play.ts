import { tutorWhoConfirms } from './confirmed';
import { declinedCard } from './declined';
import { instantTutor } from './instant';
import { killedWorker } from './killed-worker';
import type { Stage } from './stage';
import type { StoryOutcome } from './timeline';

/**
 * Plays the four stories. B and C are played while D waits for Temporal.
 * @throws ExpectationError at the first thing that is not as it should be
 */
export async function play(stage: Stage): Promise<StoryOutcome[]> {
  const { student, tutor, outcome } = await instantTutor(stage);
  const crash = await killedWorker(stage, student, tutor);
  const declined = await declinedCard(stage, student, tutor);
  const confirmed = await tutorWhoConfirms(stage, student);
  if (crash) stage.timeline.heading('D  … and what became of the booking whose worker was killed');
  const survived = await crash?.rest();
  return [outcome, declined, confirmed, ...(survived ? [survived] : [])];
}
