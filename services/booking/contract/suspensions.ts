import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, Uuid } from '../../../platform/schemas';

// What the saga of a suspension asks of the bookings of who is kept out.

const Withdrawal = z.enum(['decline', 'cancel']);

/** Bookings that are not over yet: those that are withdrawn at once, and those about which an operator is asked. */
export const OpenSessions = z
  .strictObject({
    withdraw: z.array(z.strictObject({ id: Uuid, by: Withdrawal })),
    ask: z.array(Uuid),
  })
  .meta({ id: 'OpenSessions' });
export type OpenSessions = z.output<typeof OpenSessions>;

export const suspensionOperations = {
  openSessions: endpoint({
    method: 'get',
    path: '/internal/people/{id}/open-sessions',
    operationId: 'internalOpenSessions',
    summary: 'What becomes of the bookings of a person who is kept out',
    access: 'service',
    params: IdParams,
    replies: { 200: OpenSessions },
  }),
  withdrawBooking: endpoint({
    method: 'post',
    path: '/internal/bookings/{id}/withdraw',
    operationId: 'internalWithdrawBooking',
    summary: 'Decline a request for its tutor, or cancel a session as an operator, which gives everything back',
    description:
      'The saga of the booking does it, and has done it when this answers. One that is over already stays as it is.',
    access: 'service',
    idempotency: 'required',
    params: IdParams,
    body: z.strictObject({ by: Withdrawal }),
    replies: { 204: null },
  }),
} as const;
