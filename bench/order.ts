import { z } from 'zod';

/** One booking that an engine is asked for: what a client sends, with the id and the moment that the booking service gives it. */
export const orderSchema = z.strictObject({
  bookingId: z.uuid(),
  studentId: z.uuid(),
  tutorId: z.uuid(),
  /** ISO 8601 in UTC, on a full hour. */
  scheduledAt: z.string(),
  durationMinutes: z.number(),
  paymentMethodId: z.string(),
  /** When the request arrived. Deadlines count from this moment, so that a repeated step asks for the same. */
  requestedAt: z.string(),
});
export type Order = z.output<typeof orderSchema>;

/** What the client is told. */
export const outcomeSchema = z.union([
  z.strictObject({ outcome: z.literal('confirmed') }),
  z.strictObject({ outcome: z.literal('refused'), code: z.string() }),
]);
export type Outcome = z.output<typeof outcomeSchema>;

export const SUBJECT = 'Mathematics';
const REMIND_HOURS = 24;

/** How long a confirmed booking waits for its reminder. A durable engine keeps the booking for that long. */
export function untilReminder(order: Order): number {
  return Math.max(0, Date.parse(order.scheduledAt) - REMIND_HOURS * 3_600_000 - Date.now());
}
