import { z } from 'zod';
import { SECOND } from '../../kernel/time';
import { bookingWorkflowId } from '../../workflows/booking.api';
import { suspensionSaga } from '../../workflows/suspension.api';
import { confirmedBooking, people, type Scenario, slowly } from '../recording-cast';
import { createdSchema, type Person, type Stage, until } from '../recording-stage';

// Stories of people who are kept out.

const reason = 'Reported by several students';

/** Has somebody kept out; the id of the saga. */
async function suspended(stage: Stage, by: Person, who: Person, forMs?: number): Promise<string> {
  const until = forMs === undefined ? undefined : new Date(Date.now() + forMs).toISOString();
  const { id: suspensionId } = await stage.api(createdSchema, 'POST', `/api/users/${who.id}/suspend`, {
    ...{ who: by, body: { reason, until } },
  });
  return suspensionSaga.workflowId({ suspensionId, userId: who.id });
}

const letIn = (stage: Stage, by: Person, who: Person) =>
  stage.api(z.unknown(), 'POST', `/api/users/${who.id}/unsuspend`, { who: by, body: { reason } });

const over = async (stage: Stage, workflowId: string) => {
  await stage.settled(workflowId, 'Completed');
  return workflowId;
};

export const scenarios: Record<string, Scenario> = {
  // A tutor whom a request waits for, until the day comes.
  'tutor-until': async (stage) => {
    const [by, { student, tutor }] = [await stage.admin(), await people(stage, false)];
    const id = await stage.book(student, tutor, { hoursAhead: 240 });
    await stage.settled(bookingWorkflowId(id), 'AwaitingTutor');
    return over(stage, await suspended(stage, by, tutor, 20 * SECOND));
  },
  'student-let-in': async (stage) => {
    const [by, who] = [await stage.admin(), await stage.register('student')];
    const workflowId = await suspended(stage, by, who);
    await stage.settled(workflowId, 'Running');
    await letIn(stage, by, who);
    return over(stage, workflowId);
  },
  // For longer than local attempts last.
  'tutoring-away': async (stage) => {
    const [by, who] = [await stage.admin(), await stage.register('tutor')];
    let workflowId = '';
    await stage.without('tutoring', async () => {
      workflowId = await suspended(stage, by, who, 60 * SECOND);
      await until('the tutor is unlisted by a recorded step', async () =>
        (await stage.scheduledOf(workflowId)).includes('unlistTutor'),
      );
    });
    return over(stage, workflowId);
  },
  // An operator keeps what is left.
  'bookings-kept': slowly(async (stage) => {
    const [by, { tutor }] = [await stage.admin(), await confirmedBooking(stage)];
    const workflowId = await suspended(stage, by, tutor);
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.update(workflowId, 'resolve', { step: 'bookings', action: 'accept' });
    await letIn(stage, by, tutor);
    return over(stage, workflowId);
  }),
};
