import { z } from 'zod';
import { bookingWorkflowId } from '../workflows/booking.api';
import { paymentWorkflowId } from '../workflows/payment.api';
import { refundWorkflowId } from '../workflows/refund.api';
import { userCreationWorkflowId } from '../workflows/user-creation.api';
import {
  createdSchema,
  fullHour,
  itemsSchema,
  nextQuarter,
  type Person,
  paymentSchema,
  type Stage,
  until,
} from './recording-stage';

/** A story to record: its name is the file's, its result the workflow's id. */
export type Scenario = (stage: Stage) => Promise<string>;

const DAYS = 24;
const HALF_AN_HOUR_MS = 30 * 60_000;
const HOUR_AND_A_HALF_MS = 90 * 60_000;

/** A story that waits for real time: it is played only when it is asked for by name, beside the others that are. */
const slow = new Set<Scenario>();
const slowly = (story: Scenario): Scenario => {
  slow.add(story);
  return story;
};
export const isSlow = (story: Scenario) => slow.has(story);
const reason = { reason: 'Something came up' };

async function people(stage: Stage, instant = true): Promise<{ student: Person; tutor: Person }> {
  const [student, tutor] = await Promise.all([stage.register('student'), stage.tutor(instant)]);
  return { student, tutor };
}

const act = (stage: Stage, who: Person, id: string, action: string, body?: object, expect?: number[]) =>
  stage.api(z.unknown(), 'POST', `/api/bookings/${id}/${action}`, {
    who,
    ...(body && { body }),
    ...(expect && { expect }),
  });

/** A booking that came to nothing, by the card that was tried. */
const failedBooking =
  (card: string, status: number): Scenario =>
  async (stage) => {
    const { student, tutor } = await people(stage);
    const id = await stage.book(student, tutor, { hoursAhead: 10 * DAYS, card, expect: [status] });
    await stage.settled(bookingWorkflowId(id), 'Compensated');
    return bookingWorkflowId(id);
  };

async function confirmedBooking(stage: Stage, hoursAhead = 10 * DAYS) {
  const cast = await people(stage);
  const id = await stage.book(cast.student, cast.tutor, { hoursAhead });
  await stage.settled(bookingWorkflowId(id), 'Confirmed');
  return { ...cast, id, workflowId: bookingWorkflowId(id) };
}

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
  (action: 'complete' | 'fail', ends: string): Scenario =>
  async (stage) => {
    const { student, tutor } = await people(stage);
    const card = 'pm_card_threeDSecure2Required';
    const id = await stage.book(student, tutor, { hoursAhead: 10 * DAYS, card, expect: [202] });
    const { payment } = await stage.readBooking(student, id);
    await stage.threeDSecure(payment?.clientSecret, action);
    await stage.settled(bookingWorkflowId(id), ends);
    return bookingWorkflowId(id);
  };

const cancelled =
  (by: 'student' | 'tutor', hoursAhead: number): Scenario =>
  async (stage) => {
    const cast = await confirmedBooking(stage, hoursAhead);
    await act(stage, cast[by], cast.id, 'cancel', reason);
    await stage.settled(cast.workflowId, 'Compensated');
    return cast.workflowId;
  };

const booking: Record<string, Scenario> = {
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
  'tutor-confirmed': async (stage) => {
    const { tutor, id, workflowId } = await askedBooking(stage);
    await act(stage, tutor, id, 'confirm');
    await stage.settled(workflowId, 'Confirmed');
    return workflowId;
  },
  'tutor-declined': async (stage) => {
    const { tutor, id, workflowId } = await askedBooking(stage);
    await act(stage, tutor, id, 'decline', reason);
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'cancelled-awaiting-tutor': async (stage) => {
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
  'cancelled-with-partial-refund': cancelled('student', 10),
  'cancelled-by-tutor': cancelled('tutor', 2 * DAYS),
  'cancelled-too-late-for-a-refund': cancelled('student', 2),
  rescheduled: async (stage) => {
    const { student, id, workflowId } = await confirmedBooking(stage);
    const body = { scheduledAt: fullHour(12 * DAYS) };
    await stage.api(z.unknown(), 'PATCH', `/api/bookings/${id}`, { who: student, body });
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
  // The tutor is free then, and the student has a session with another: the slot has moved when the booking is refused.
  'move-refused': async (stage) => {
    const { student, id, workflowId } = await confirmedBooking(stage);
    const other = await stage.tutor(true);
    await stage.book(student, other, { hoursAhead: 12 * DAYS });
    const body = { scheduledAt: fullHour(12 * DAYS) };
    await stage.api(z.unknown(), 'PATCH', `/api/bookings/${id}`, { who: student, body, expect: [409] });
    await stage.settled(workflowId, 'Confirmed');
    return workflowId;
  },
  'platform-trouble-after-confirm': async (stage) => {
    const { tutor, id, workflowId } = await askedBooking(stage);
    await stage.without('tutoring', async () => {
      const answered = stage.api(z.unknown(), 'POST', `/api/bookings/${id}/confirm`, {
        who: tutor,
        expect: [409, 503],
      });
      // The slot cannot be blocked for a minute and a half; then everything is undone, and the undo waits for tutoring.
      await until('it is given up', async () => (await stage.stateOf(workflowId)) === 'Compensating');
      await answered;
    });
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'notices-retried': async (stage) => {
    const cast = await people(stage);
    let id = '';
    await stage.without('notification', async () => {
      id = await stage.book(cast.student, cast.tutor, { hoursAhead: 10 * DAYS });
      await until('notices have been tried again', async () => (await stage.timersOf(bookingWorkflowId(id))) >= 3);
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
  'three-d-secure-failed': threeDSecure('fail', 'Compensated'),
};

/** A direct payment, asked for by a student who pays a tutor. */
async function pay(stage: Stage, card: string, expect: number[]) {
  const { student, tutor } = await people(stage);
  const body = {
    payeeId: tutor.id,
    amount: { amount: 4_500, currency: 'EUR' },
    paymentMethodId: card,
    description: 'Books',
  };
  const reply = await stage.api(
    z.union([
      paymentSchema,
      z
        .looseObject({ paymentId: z.string() })
        .transform(({ paymentId }) => ({ id: paymentId, clientSecret: undefined })),
    ]),
    'POST',
    '/api/payments',
    { who: student, body, expect },
  );
  return { student, tutor, ...reply, workflowId: paymentWorkflowId(reply.id) };
}

const payment: Record<string, Scenario> = {
  paid: async (stage) => {
    const { workflowId } = await pay(stage, 'pm_card_visa', [201]);
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  declined: async (stage) => {
    const { workflowId } = await pay(stage, 'pm_card_visa_chargeDeclined', [402]);
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'three-d-secure': async (stage) => {
    const { workflowId, clientSecret } = await pay(stage, 'pm_card_threeDSecure2Required', [202]);
    await stage.threeDSecure(clientSecret, 'complete');
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'three-d-secure-failed': async (stage) => {
    const { workflowId, clientSecret } = await pay(stage, 'pm_card_threeDSecure2Required', [202]);
    await stage.threeDSecure(clientSecret, 'fail');
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
};

const giveBack = async (stage: Stage, card: string) => {
  const { tutor, id, workflowId } = await pay(stage, card, [201]);
  await stage.settled(workflowId, 'Completed');
  const made = await stage.api(createdSchema, 'POST', `/api/payments/${id}/refund`, { who: tutor, body: reason });
  return refundWorkflowId(made.id);
};

/** A refund that Stripe refuses: because of what `before` has done there, or for a reason of its own. */
async function refusedRefund(stage: Stage, before?: (paymentId: string) => Promise<void>) {
  const { tutor, id, workflowId: payment } = await pay(stage, 'pm_card_visa', [201]);
  await stage.settled(payment, 'Completed');
  const refusal = { kind: 'refuse_400', code: 'charge_disputed', match: { method: 'POST', path: '/v1/refunds' } };
  await (before ? before(id) : stage.fault(refusal));
  const path = `/api/payments/${id}/refund`;
  const refused = z.looseObject({ refundId: z.string() });
  const { refundId } = await stage.api(refused, 'POST', path, { who: tutor, body: reason, expect: [409] });
  return { id, workflowId: refundWorkflowId(refundId) };
}

const refund: Record<string, Scenario> = {
  full: async (stage) => {
    const workflowId = await giveBack(stage, 'pm_card_visa');
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'succeeded-later': async (stage) => {
    const workflowId = await giveBack(stage, 'pm_card_pendingRefund');
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'part-of-a-booking': async (stage) => {
    const cast = await confirmedBooking(stage, 10);
    await act(stage, cast.student, cast.id, 'cancel', reason);
    await stage.settled(cast.workflowId, 'Compensated');
    const { payment: paid } = await stage.readBooking(cast.student, cast.id);
    const path = `/api/payments/${paid?.id}/refunds`;
    const { items } = await stage.api(itemsSchema, 'GET', path, { who: cast.student });
    return refundWorkflowId(String(items[0]?.id));
  },
  refused: async (stage) => {
    const { workflowId } = await refusedRefund(stage);
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.update(workflowId, 'resolve', { action: 'waived', noteId: null });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  // All of it was given back in Stripe's dashboard before, and nobody has heard of that.
  'place-taken': async (stage) => {
    const { workflowId } = await refusedRefund(stage, (id) => stage.refundAtStripe(id, { webhooks: 'lost' }));
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  // An operator does in Stripe's dashboard what the saga asks for, and says nothing.
  'made-in-the-dashboard': async (stage) => {
    const { id, workflowId } = await refusedRefund(stage);
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.refundAtStripe(id, { webhooks: 'sent' });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  // The payer has been told that it is made when their bank returns it.
  returned: async (stage) => {
    const workflowId = await giveBack(stage, 'pm_card_refundFail');
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.update(workflowId, 'resolve', { action: 'paid_elsewhere', noteId: null });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'failed-twice': async (stage) => {
    const workflowId = await giveBack(stage, 'pm_card_refundFail');
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.update(workflowId, 'resolve', { action: 'retry', noteId: null });
    await until('the refund is tried again', async () => {
      const { events } = await stage.client.workflow.getHandle(workflowId).fetchHistory();
      const retry = events?.find(
        (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'retryRefund',
      );
      return (
        retry !== undefined &&
        events?.some(
          (event) =>
            String(event.activityTaskCompletedEventAttributes?.scheduledEventId ?? '') === String(retry.eventId),
        ) === true
      );
    });
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.update(workflowId, 'resolve', { action: 'waived', noteId: null });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
};

const signedUp =
  (role: 'student' | 'tutor'): Scenario =>
  async (stage) => {
    const { id } = await stage.register(role);
    await stage.settled(userCreationWorkflowId(id), 'Completed');
    return userCreationWorkflowId(id);
  };

const userCreation: Record<string, Scenario> = {
  student: signedUp('student'),
  tutor: signedUp('tutor'),
  'cancelled-by-operator': async (stage) => {
    await stage.fault({ kind: 'hang', ms: 3_000, match: { method: 'POST', path: '/v1/customers' } });
    const refused = stage.register('student').catch(() => undefined);
    let workflowId: string | undefined;
    await until('a sign-up makes its Stripe account', async () => {
      const query = `WorkflowType = 'userCreation' AND ExecutionStatus = 'Running'`;
      for await (const found of stage.client.workflow.list({ query })) workflowId = found.workflowId;
      if (!workflowId) return false;
      const { events } = await stage.client.workflow.getHandle(workflowId).fetchHistory();
      return events?.some((event) => event.activityTaskScheduledEventAttributes) === true;
    });
    await stage.client.workflow.getHandle(String(workflowId)).cancel();
    await refused;
    await stage.settled(String(workflowId), 'Compensated');
    return String(workflowId);
  },
};

/** Every story by saga and name. They are played one after another: some tell Stripe to hang. */
export const SCENARIOS: Readonly<Record<string, Readonly<Record<string, Scenario>>>> = {
  booking,
  payment,
  refund,
  'user-creation': userCreation,
};
