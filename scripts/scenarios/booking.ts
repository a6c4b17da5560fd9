import { z } from 'zod';
import { bookingWorkflowId } from '../../workflows/booking.api';
import { act, confirmedBooking, DAYS, people, reason, type Scenario, slowly } from '../recording-cast';
import { fullHour, nextQuarter, type Person, type Stage, until } from '../recording-stage';

// Stories of bookings.

const HALF_AN_HOUR_MS = 30 * 60_000;
const HOUR_AND_A_HALF_MS = 90 * 60_000;

/** A booking that came to nothing, by the card that was tried. */
const failedBooking =
  (card: string, status: number): Scenario =>
  async (stage) => {
    const { student, tutor } = await people(stage);
    const id = await stage.book(student, tutor, { hoursAhead: 10 * DAYS, card, expect: [status] });
    await stage.settled(bookingWorkflowId(id), 'Compensated');
    return bookingWorkflowId(id);
  };

async function askedBooking(stage: Stage) {
  const cast = await people(stage, false);
  const id = await stage.book(cast.student, cast.tutor, { hoursAhead: 10 * DAYS });
  await stage.settled(bookingWorkflowId(id), 'AwaitingTutor');
  return { ...cast, id, workflowId: bookingWorkflowId(id) };
}

/** A booking that is called off while its slot and its money cannot be given back, until an operator answers after an hour. */
const undoneLate =
  (action: 'retry' | 'accept'): Scenario =>
  async (stage) => {
    const { student, id, workflowId } = await askedBooking(stage);
    const resolve = async () => {
      await stage.update(workflowId, 'resolve', { step: 'undo hold-slot', action });
      const ofMoney = action === 'accept' ? 'paid_elsewhere' : action;
      await stage.update(workflowId, 'resolve', { step: 'undo authorize', action: ofMoney });
    };
    await stage.without('tutoring', () =>
      stage.without('payment', async () => {
        await act(stage, student, id, 'cancel', reason, [200, 503]);
        const troubles = async () => (await stage.detailsOf(workflowId)).match(/is not done/g)?.length;
        await until('all that is stuck asks for an operator', async () => (await troubles()) === 2, HOUR_AND_A_HALF_MS);
        if (action === 'accept') await resolve();
      }),
    );
    if (action === 'retry') await resolve();
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  };

const threeDSecure =
  (action: 'complete' | 'fail', ends: string, instant = true): Scenario =>
  async (stage) => {
    const { student, tutor } = await people(stage, instant);
    const card = 'pm_card_threeDSecure2Required';
    const id = await stage.book(student, tutor, { hoursAhead: 10 * DAYS, card, expect: [202] });
    const { payment } = await stage.readBooking(student, id);
    await stage.threeDSecure(payment?.clientSecret, action);
    await stage.settled(bookingWorkflowId(id), ends);
    return bookingWorkflowId(id);
  };

const move = (stage: Stage, who: Person, id: string, daysAhead: number, expect = [200]) =>
  stage.api(z.unknown(), 'PATCH', `/api/bookings/${id}`, {
    who,
    body: { scheduledAt: fullHour(daysAhead * DAYS) },
    expect,
  });

/** A confirmed session, and another at the time that it is to be moved to, which its student or its tutor has with somebody else. */
async function bookedTwice(stage: Stage, who: 'student' | 'tutor') {
  const cast = await confirmedBooking(stage);
  const student = who === 'student' ? cast.student : await stage.register('student');
  const tutor = who === 'tutor' ? cast.tutor : await stage.tutor(true);
  await stage.book(student, tutor, { hoursAhead: 12 * DAYS });
  return cast;
}

/** A move that meets the other session of one of its people. */
const moveRefused =
  (who: 'student' | 'tutor'): Scenario =>
  async (stage) => {
    const { student, id, workflowId } = await bookedTwice(stage, who);
    await move(stage, student, id, 12, [409]);
    await stage.settled(workflowId, 'Confirmed');
    return workflowId;
  };

const cancelled =
  (by: 'student' | 'tutor', hoursAhead: number): Scenario =>
  async (stage) => {
    const cast = await confirmedBooking(stage, hoursAhead);
    await act(stage, cast[by], cast.id, 'cancel', reason);
    await stage.settled(cast.workflowId, 'Compensated');
    return cast.workflowId;
  };

export const scenarios: Record<string, Scenario> = {
  confirmed: async (stage) => (await confirmedBooking(stage)).workflowId,
  'card-declined': failedBooking('pm_card_visa_chargeDeclined', 402),
  'slot-taken': async (stage) => {
    const { student, tutor } = await people(stage);
    const second = await stage.register('student');
    const race = { hoursAhead: 10 * DAYS, expect: [201, 409] };
    const ids = await Promise.all([stage.book(student, tutor, race), stage.book(second, tutor, race)]);
    for (const id of ids) {
      const { status } = await stage.client.workflow.getHandle(bookingWorkflowId(id)).describe();
      if (status.name === 'RUNNING') continue;
      await stage.settled(bookingWorkflowId(id), 'Compensated');
      return bookingWorkflowId(id);
    }
    throw new Error('Both got the slot');
  },
  'tutor-confirmed.v2': async (stage) => {
    const { tutor, id, workflowId } = await askedBooking(stage);
    await act(stage, tutor, id, 'confirm');
    await stage.settled(workflowId, 'Confirmed');
    return workflowId;
  },
  'tutor-declined.v2': async (stage) => {
    const { tutor, id, workflowId } = await askedBooking(stage);
    await act(stage, tutor, id, 'decline', reason);
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'cancelled-awaiting-tutor.v2': async (stage) => {
    const { student, id, workflowId } = await askedBooking(stage);
    await act(stage, student, id, 'cancel', reason);
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'cancelled-by-operator': async (stage) => {
    const { workflowId } = await askedBooking(stage);
    await stage.client.workflow.getHandle(workflowId).cancel();
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'cancelled-mid-charge': async (stage) => {
    const { student, tutor } = await people(stage);
    await stage.fault({
      kind: 'hang',
      ms: 3_000,
      when: 'after',
      match: { method: 'POST', path: '/v1/payment_intents' },
    });
    const answered = stage.book(student, tutor, { hoursAhead: 10 * DAYS, expect: [201, 202, 402, 409] });
    let id: string | undefined;
    await until('a charge is under way', async () => {
      id = await stage.latestBooking(student);
      const { events } = id
        ? await stage.client.workflow.getHandle(bookingWorkflowId(id)).fetchHistory()
        : { events: [] };
      return events?.some((event) => event.activityTaskScheduledEventAttributes) === true;
    });
    const workflowId = bookingWorkflowId(String(id));
    await act(stage, student, String(id), 'cancel', reason);
    await answered;
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'cancelled-with-partial-refund.v2': cancelled('student', 10),
  'cancelled-by-tutor.v2': cancelled('tutor', 2 * DAYS),
  'cancelled-too-late-for-a-refund.v2': cancelled('student', 2),
  'rescheduled.v2': async (stage) => {
    const { student, id, workflowId } = await confirmedBooking(stage);
    await move(stage, student, id, 12);
    await stage.settled(workflowId, 'Confirmed');
    return workflowId;
  },
  // The saga believes the request about when it came, so that nobody has to wait for the session to end.
  'completed-by-tutor': async (stage) => {
    const { tutor, workflowId } = await confirmedBooking(stage, 2);
    await stage.update(workflowId, 'complete', { actorId: tutor.id, requestedAt: fullHour(4) });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  // The tutor is free then, and the student is not: refused before anything is reserved.
  'move-refused.v2': moveRefused('student'),
  // The student is free then, and the tutor is not.
  'move-onto-a-taken-slot': moveRefused('tutor'),
  // So many commands that it goes on as a new run, which hears of a move and of the cancel.
  'continued-and-cancelled': async (stage) => {
    const { student, id, workflowId } = await bookedTwice(stage, 'tutor');
    const first = await stage.runOf(workflowId);
    const onto = { by: 'student', actorId: student.id, scheduledAt: fullHour(12 * DAYS), requestedAt: fullHour(0) };
    await until('it goes on as a new run', async () => {
      await stage.update(workflowId, 'reschedule', onto).catch(() => undefined);
      return (await stage.runOf(workflowId)) !== first;
    });
    await move(stage, student, id, 11);
    await act(stage, student, id, 'cancel', reason);
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  // A hand at Stripe ends the authorisation while the tutor thinks.
  'authorisation-ended-while-the-tutor-is-asked': async (stage) => {
    const { student, id, workflowId } = await askedBooking(stage);
    const { payment } = await stage.readBooking(student, id);
    await stage.cancelAtStripe(String(payment?.id));
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'platform-trouble-after-confirm.v2': async (stage) => {
    const { tutor, id, workflowId } = await askedBooking(stage);
    await stage.without('tutoring', async () => {
      await act(stage, tutor, id, 'confirm', undefined, [503]);
      await until('the slot is to be blocked by a recorded step', async () =>
        (await stage.scheduledOf(workflowId)).includes('blockSlot'),
      );
    });
    await stage.settled(workflowId, 'Confirmed');
    return workflowId;
  },
  'notices-retried.v2': async (stage) => {
    const cast = await people(stage);
    let id = '';
    await stage.without('notification', async () => {
      id = await stage.book(cast.student, cast.tutor, { hoursAhead: 10 * DAYS });
      await until('a notice is to be told by a recorded step', async () =>
        (await stage.scheduledOf(bookingWorkflowId(id))).includes('notifyBooking'),
      );
    });
    await stage.settled(bookingWorkflowId(id), 'Confirmed');
    return bookingWorkflowId(id);
  },
  'tutor-expired': slowly(async (stage) => {
    const { student, tutor } = await people(stage, false);
    const id = await stage.book(student, tutor, { at: nextQuarter() });
    await stage.settled(bookingWorkflowId(id), 'Compensated', HALF_AN_HOUR_MS);
    return bookingWorkflowId(id);
  }),
  'three-d-secure-abandoned': slowly(async (stage) => {
    const { student, tutor } = await people(stage);
    const card = 'pm_card_threeDSecure2Required';
    const id = await stage.book(student, tutor, { hoursAhead: 10 * DAYS, card, expect: [202] });
    await stage.settled(bookingWorkflowId(id), 'Compensated', HALF_AN_HOUR_MS);
    return bookingWorkflowId(id);
  }),
  'undo-retried-past-the-hour': slowly(undoneLate('retry')),
  'undo-accepted-past-the-hour': slowly(undoneLate('accept')),
  'three-d-secure-completed': threeDSecure('complete', 'Confirmed'),
  'three-d-secure-failed.v2': threeDSecure('fail', 'Compensated'),
  'three-d-secure-then-the-tutor': threeDSecure('complete', 'AwaitingTutor', false),
};
