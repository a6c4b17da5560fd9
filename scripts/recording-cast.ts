import { z } from 'zod';
import { bookingWorkflowId } from '../workflows/booking.api';
import { paymentWorkflowId } from '../workflows/payment.api';
import { type Person, paymentSchema, type Stage } from './recording-stage';

// Who plays in the stories that are recorded, and what they do in many of them.

/** A story to record: its name is the file's, its result the workflow's id. */
export type Scenario = (stage: Stage) => Promise<string>;

/** A story that waits for real time: it is played only when it is asked for by name, beside the others that are. */
const slow = new Set<Scenario>();
export const slowly = (story: Scenario): Scenario => {
  slow.add(story);
  return story;
};
export const isSlow = (story: Scenario) => slow.has(story);

/** Hours of a day. */
export const DAYS = 24;

export const reason = { reason: 'Something came up' };

export async function people(stage: Stage, instant = true): Promise<{ student: Person; tutor: Person }> {
  const [student, tutor] = await Promise.all([stage.register('student'), stage.tutor(instant)]);
  return { student, tutor };
}

export const act = (stage: Stage, who: Person, id: string, action: string, body?: object, expect?: number[]) =>
  stage.api(z.unknown(), 'POST', `/api/bookings/${id}/${action}`, {
    who,
    ...(body && { body }),
    ...(expect && { expect }),
  });

export async function confirmedBooking(stage: Stage, hoursAhead = 10 * DAYS, card = 'pm_card_visa') {
  const cast = await people(stage);
  const id = await stage.book(cast.student, cast.tutor, { hoursAhead, card });
  await stage.settled(bookingWorkflowId(id), 'Confirmed');
  return { ...cast, id, workflowId: bookingWorkflowId(id) };
}

/** A direct payment, asked for by a student who pays a tutor. */
export async function pay(stage: Stage, card: string, expect: number[]) {
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
