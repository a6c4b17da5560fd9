import type { InternalBooking } from '../contract';
import { isTemporary, type Progress, refusalAfter, requestOutcome } from './request';

describe('how a request to book is answered', () => {
  const row = (
    status: InternalBooking['status'],
    statusReason: InternalBooking['statusReason'] = null,
    declineCode: string | null = null,
  ) => ({ status, statusReason, declineCode });
  const refusal = { code: 'slot_unavailable', detail: 'Taken' } as const;

  test.each<[string, Progress, string]>([
    ['nothing yet', { booking: null, refusal: null }, 'waiting'],
    ['just made', { booking: row('pending'), refusal: null }, 'waiting'],
    ['waiting for the bank', { booking: row('pending', 'awaiting_payment'), refusal: null }, 'action_needed'],
    ['waiting for the tutor', { booking: row('pending', 'awaiting_tutor'), refusal: null }, 'made'],
    ['confirmed', { booking: row('confirmed'), refusal: null }, 'made'],
    ['completed by now', { booking: row('completed', 'completed_by_tutor'), refusal: null }, 'made'],
    ['refused and still being undone', { booking: row('pending'), refusal }, 'waiting'],
  ])('%s: %s', (_, progress, kind) => {
    expect(requestOutcome('b', progress).kind).toBe(kind);
  });

  test.each<[string, Progress, { code: string; extras: unknown }]>([
    [
      'card declined',
      { booking: row('cancelled', 'payment_declined', 'insufficient_funds'), refusal: null },
      { code: 'payment_declined', extras: { bookingId: 'b', declineCode: 'insufficient_funds' } },
    ],
    [
      'declined without a code',
      { booking: row('cancelled', 'payment_declined'), refusal: null },
      { code: 'payment_declined', extras: { bookingId: 'b', declineCode: 'generic_decline' } },
    ],
    [
      '3-D Secure not completed',
      { booking: row('cancelled', 'payment_expired'), refusal: null },
      { code: 'payment_expired', extras: { bookingId: 'b' } },
    ],
    [
      'slot taken',
      { booking: row('cancelled', 'slot_unavailable'), refusal: null },
      { code: 'slot_unavailable', extras: { bookingId: 'b' } },
    ],
    [
      'undone because a part of the platform was away',
      { booking: row('cancelled', 'platform_unavailable'), refusal: null },
      { code: 'upstream_unavailable', extras: { bookingId: 'b' } },
    ],
    [
      'cancelled meanwhile',
      { booking: row('cancelled', 'cancelled_by_operator'), refusal: null },
      { code: 'invalid_state', extras: { bookingId: 'b' } },
    ],
    [
      'refunded meanwhile',
      { booking: row('refunded', 'cancelled_by_tutor'), refusal: null },
      { code: 'invalid_state', extras: { bookingId: 'b' } },
    ],
    [
      'refused with a booking',
      { booking: row('cancelled', 'slot_unavailable'), refusal: { code: 'validation_failed', detail: 'No' } },
      { code: 'validation_failed', extras: { bookingId: 'b' } },
    ],
    ['refused without one', { booking: null, refusal }, { code: 'slot_unavailable', extras: { bookingId: 'b' } }],
    [
      'an unknown tutor',
      { booking: null, refusal: { code: 'not_found', detail: 'No such tutor' } },
      { code: 'not_found', extras: undefined },
    ],
  ])('%s', (_, progress, { code, extras }) => {
    const outcome = requestOutcome('b', progress);
    expect(outcome).toMatchObject({ kind: 'refused', problem: { code } });
    expect(outcome.kind === 'refused' && outcome.problem.more.extras).toEqual(extras);
  });

  test('when time is up, a refusal is told though its undoing goes on', () => {
    const outcome = requestOutcome('b', { booking: row('pending'), refusal }, true);
    expect(outcome).toMatchObject({ kind: 'refused', problem: { code: 'slot_unavailable', detail: 'Taken' } });
  });

  test('the fields that were wrong are named', () => {
    const errors = [{ path: 'subject', message: 'is not taught' }];
    const outcome = requestOutcome('b', {
      booking: null,
      refusal: { code: 'validation_failed', detail: 'No', errors },
    });
    expect(outcome).toMatchObject({ kind: 'refused', problem: { more: { errors } } });
  });

  test('what a request without a booking was undone for is what it is refused with', () => {
    expect(refusalAfter('payment_declined').code).toBe('payment_declined');
    expect(refusalAfter('payment_expired').code).toBe('payment_expired');
    expect(refusalAfter('slot_unavailable').code).toBe('slot_unavailable');
    expect(refusalAfter('cancelled_by_operator').code).toBe('invalid_state');
    expect(refusalAfter(null).code).toBe('invalid_state');
  });

  test('only faults of the platform are temporary', () => {
    expect(isTemporary({ code: 'upstream_unavailable' })).toBe(true);
    expect(isTemporary({ code: 'slot_unavailable' })).toBe(false);
  });
});
