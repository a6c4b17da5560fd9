import { randomUUID } from 'node:crypto';
import { DAY, HOUR, MINUTE } from '../kernel/time';
import {
  fails,
  gate,
  refuses,
  type SagaHarness,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { type BookingInput, bookingSaga } from './booking.api';
import { refundSaga } from './refund.api';

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

const EUR = (amount: number) => ({ amount, currency: 'EUR' });

async function now(): Promise<number> {
  return harness.env.currentTimeMs();
}

async function someBooking(startsIn = 10 * DAY): Promise<BookingInput> {
  return {
    bookingId: randomUUID(),
    studentId: randomUUID(),
    tutorId: randomUUID(),
    scheduledAt: new Date((await now()) + startsIn).toISOString(),
    durationMinutes: 60,
    paymentMethodId: 'pm_card_visa',
  };
}

/** Activities with which everything goes well. */
function allGoesWell(
  input: BookingInput,
  options: { instant?: boolean; captureBefore?: string | null } = {},
): Record<string, TestActivity> {
  const payment = {
    paymentId: randomUUID(),
    bookingId: input.bookingId,
    version: 1,
    captureBefore: options.captureBefore ?? null,
  };
  const done = () => undefined;
  return {
    createBooking: () => ({
      price: EUR(4500),
      startsAt: input.scheduledAt,
      endsAt: input.scheduledAt,
      instantBooking: options.instant ?? true,
    }),
    cancelBooking: done,
    holdSlot: done,
    extendHold: done,
    releaseSlot: done,
    blockSlot: done,
    moveSlot: done,
    awaitTutor: done,
    authorizePayment: () => ({ ...payment, status: 'authorized' }),
    chargePayment: () => ({ ...payment, status: 'captured' }),
    capturePayment: () => ({ ...payment, status: 'captured' }),
    refreshPayment: () => ({ ...payment, status: 'captured' }),
    abandonPayment: () => ({ ...payment, status: 'voided' }),
    settleToZero: done,
    confirmBooking: done,
    rescheduleBooking: done,
    completeBooking: done,
    releaseEarnings: done,
    cancelConfirmed: () => ({ refund: EUR(2250), retained: EUR(2250) }),
    createRefund: () => ({ refundId: randomUUID() }),
    submitRefund: () => ({ status: 'succeeded', version: 2, tries: 1 }),
    closeRefund: ({ as }) => ({ status: as, version: 3, tries: 1 }),
    recordRefund: done,
    notifyRefund: done,
    notifyBooking: done,
  };
}

/** The tutor must confirm: resolves once the booking waits for that. */
async function awaitingTutor(input: BookingInput, activities = allGoesWell(input, { instant: false })) {
  const saga = await harness.start(bookingSaga, input, activities);
  await saga.called('notifyBooking');
  return saga;
}

async function confirmed(input: BookingInput, activities = allGoesWell(input)) {
  const saga = await harness.start(bookingSaga, input, activities);
  await saga.called('notifyBooking');
  return saga;
}

const cancelBy = async (by: 'student' | 'tutor') => ({
  by,
  actorId: randomUUID(),
  noteId: null,
  requestedAt: new Date(await now()).toISOString(),
});

describe('when nothing fails', () => {
  test('an instant booking’s slot is taken, it is charged, confirmed, reminded twice and completes by itself', async () => {
    const input = await someBooking();
    const saga = await harness.start(bookingSaga, input, allGoesWell(input));
    await expect(saga.result()).resolves.toEqual({ outcome: 'completed', reason: 'completed_by_time' });
    expect(saga.calls).toEqual([
      ...['createBooking', 'holdSlot', 'chargePayment', 'confirmBooking', 'notifyBooking'],
      ...['notifyBooking', 'notifyBooking'], // reminders
      ...['completeBooking', 'releaseEarnings', 'notifyBooking'],
    ]);
    expect(await now()).toBeGreaterThan(Date.parse(input.scheduledAt) + 2 * DAY);
  });

  test('a reminder whose time has passed is not sent', async () => {
    const input = await someBooking(5 * HOUR);
    const saga = await harness.start(bookingSaga, input, allGoesWell(input));
    await saga.result();
    expect(saga.calls.filter((call) => call === 'notifyBooking')).toHaveLength(3); // confirmed, 1 h before, completed
  });

  test('where the tutor must confirm, the money is authorised first and captured by the confirmation', async () => {
    const input = await someBooking();
    const saga = await awaitingTutor(input);
    expect(saga.calls).toEqual([
      'createBooking',
      'holdSlot',
      'authorizePayment',
      'extendHold',
      'awaitTutor',
      'notifyBooking',
    ]);
    await saga.update('confirm', { actorId: input.tutorId });
    expect(saga.calls).toContain('capturePayment');
    expect(saga.calls.slice(6, 9)).toEqual(['blockSlot', 'capturePayment', 'confirmBooking']);
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'completed' });
  });

  test('a slot is held only where somebody decides first', async () => {
    const ends: unknown[] = [];
    const declined = {
      holdSlot: ({ expiresAt }: { expiresAt: unknown }) => void ends.push(expiresAt),
      ...{ authorizePayment: refuses('payment_declined'), chargePayment: refuses('payment_declined') },
    };
    for (const instant of [true, false]) {
      const input = await someBooking();
      const saga = await harness.start(bookingSaga, input, { ...allGoesWell(input, { instant }), ...declined });
      await saga.result();
    }
    expect(ends).toEqual([null, expect.any(String)]);
  });
});

describe('a step that is refused', () => {
  const cases: [string, { instant: boolean; undone: string[]; reason: string; code: Parameters<typeof refuses>[0] }][] =
    [
      [
        'createBooking',
        {
          instant: true,
          code: 'slot_unavailable',
          reason: 'slot_unavailable',
          undone: ['releaseSlot', 'cancelBooking'],
        },
      ],
      [
        'holdSlot',
        {
          instant: true,
          code: 'slot_unavailable',
          reason: 'slot_unavailable',
          undone: ['releaseSlot', 'cancelBooking'],
        },
      ],
      [
        'authorizePayment',
        {
          instant: false,
          code: 'payment_declined',
          reason: 'payment_declined',
          undone: ['settleToZero', 'releaseSlot', 'cancelBooking'],
        },
      ],
      [
        'chargePayment',
        {
          instant: true,
          code: 'payment_declined',
          reason: 'payment_declined',
          undone: ['settleToZero', 'releaseSlot', 'cancelBooking'],
        },
      ],
    ];
  test.each(cases)(
    '%s: it and all before it are undone, last first',
    async (step, { instant, code, reason, undone }) => {
      const input = await someBooking();
      const saga = await harness.start(bookingSaga, input, {
        ...allGoesWell(input, { instant }),
        [step]: refuses(code),
      });
      await expect(saga.result()).resolves.toMatchObject({ reason });
      expect(saga.calls.slice(saga.calls.indexOf(step) + 1)).toEqual(undone);
    },
  );

  test.each(cases.map(([step, { instant, undone }]) => [step, instant, undone] as const))(
    '%s that never answers is given up before the hold ends, and undone too: it may have happened',
    async (step, instant, undone) => {
      const input = await someBooking();
      const started = await now();
      let givenUpAfter = 0;
      const noteTime = async () => {
        givenUpAfter ||= (await now()) - started;
      };
      const firstUndo = String(undone[0]);
      const saga = await harness.start(bookingSaga, input, {
        ...allGoesWell(input, { instant }),
        [step]: fails(),
        [firstUndo]: noteTime,
      });
      await saga.result();
      expect(saga.calls.slice(saga.calls.indexOf(step) + 1).filter((call) => call !== 'notifyBooking')).toEqual(undone);
      expect(givenUpAfter).toBeLessThan(25 * 60_000);
    },
  );

  test('a step that fails for a while is retried and the booking goes on', async () => {
    const input = await someBooking();
    const well = allGoesWell(input);
    const saga = await harness.start(bookingSaga, input, { ...well, chargePayment: fails(3, well.chargePayment) });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'completed' });
  });

  test('after the pivot nothing is undone: a confirmation that is refused asks for an operator and is retried', async () => {
    const input = await someBooking();
    let mended = false;
    const saga = await harness.start(bookingSaga, input, {
      ...allGoesWell(input),
      confirmBooking: () => (mended ? undefined : refuses('invalid_state')(undefined, 1)),
    });
    await saga.called('confirmBooking', 2);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    mended = true;
    await saga.update('resolve', { action: 'retry', noteId: null });
    await saga.called('notifyBooking');
    expect(saga.calls).not.toContain('settleToZero');
    await saga.becomes('Confirmed');
  });
});

describe('a cancel before the pivot', () => {
  // A local step and its record are one workflow task, so a cancel is heard before or after it: only recorded steps can meet one.
  test.each([
    ['authorizePayment', false, ['settleToZero', 'releaseSlot', 'cancelBooking']],
    ['chargePayment', true, ['settleToZero', 'releaseSlot', 'cancelBooking']],
  ])('while %s runs waits for it to end, then gives everything back', async (step, instant, undone) => {
    const input = await someBooking();
    const well = allGoesWell(input, { instant });
    const running = gate(await well[step]?.(input, 1));
    const saga = await harness.start(bookingSaga, input, { ...well, [step]: running.activity });
    await saga.called(step);
    const cancelled = saga.update('cancel', await cancelBy('student'));
    await saga.cancelRequested();
    running.open();
    await cancelled;
    await expect(saga.result()).resolves.toMatchObject({ reason: 'cancelled_by_student' });
    expect(saga.calls.slice(saga.calls.indexOf(step) + 1)).toEqual(undone);
  });

  test('while the tutor decides voids the authorisation and tells both', async () => {
    const input = await someBooking();
    const saga = await awaitingTutor(input);
    await saga.update('cancel', await cancelBy('student'));
    await expect(saga.result()).resolves.toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
    expect(saga.calls.slice(6)).toEqual(['settleToZero', 'releaseSlot', 'cancelBooking', 'notifyBooking']);
  });

  test('does not stop the notices that are on their way', async () => {
    const input = await someBooking();
    const sent: string[] = [];
    const saga = await awaitingTutor(input, {
      ...allGoesWell(input, { instant: false }),
      notifyBooking: ({ notice }: { notice: string }, attempt) => {
        return attempt < 3 ? fails()(undefined, attempt) : sent.push(notice);
      },
    });
    await saga.update('cancel', await cancelBy('student'));
    await saga.result();
    expect(sent.toSorted()).toEqual(['cancelled', 'requested']);
  });

  test("Temporal's own Cancel counts as an operator's", async () => {
    const input = await someBooking();
    const saga = await awaitingTutor(input);
    await saga.handle.cancel();
    await expect(saga.result()).resolves.toMatchObject({ reason: 'cancelled_by_operator' });
    expect(saga.calls).toContain('settleToZero');
  });

  test('that meets the tutor’s confirmation while it captures: the cancel wins, the confirmation is refused', async () => {
    const input = await someBooking();
    const well = allGoesWell(input, { instant: false });
    const capture = gate(await well.capturePayment?.(input, 1));
    const saga = await awaitingTutor(input, { ...well, capturePayment: capture.activity });
    const confirmation = saga.update('confirm', { actorId: input.tutorId }).catch((error: Error) => error.message);
    await saga.called('capturePayment');
    const cancelled = saga.update('cancel', await cancelBy('student'));
    await saga.cancelRequested();
    capture.open();
    await cancelled;
    expect(await confirmation).toBe('invalid_state');
    expect(saga.calls).toContain('settleToZero');
    expect(saga.calls).not.toContain('confirmBooking');
  });
});

describe('the tutor', () => {
  test('declines: all is undone and the student told', async () => {
    const input = await someBooking();
    const saga = await awaitingTutor(input);
    await saga.update('decline', { actorId: input.tutorId, noteId: null });
    await expect(saga.result()).resolves.toMatchObject({ reason: 'declined' });
    expect(saga.calls.slice(6)).toEqual(['settleToZero', 'releaseSlot', 'cancelBooking', 'notifyBooking']);
  });

  test.each([
    ['six days', 30 * DAY, null, 6 * DAY],
    ['twelve hours before the authorisation ends', 30 * DAY, 4 * DAY, 3.5 * DAY],
    ['the start of the session', 2 * DAY, 7 * DAY, 2 * DAY],
  ])('does not answer: after %s everything is undone', async (_, startsIn, authorisedFor, expected) => {
    const input = await someBooking(startsIn);
    const started = await now();
    const captureBefore = authorisedFor === null ? null : new Date(started + authorisedFor).toISOString();
    const saga = await harness.start(bookingSaga, input, allGoesWell(input, { instant: false, captureBefore }));
    await expect(saga.result()).resolves.toMatchObject({ reason: 'tutor_expired' });
    const waited = (await now()) - started;
    expect(waited).toBeGreaterThanOrEqual(expected - 60_000);
    expect(waited).toBeLessThan(expected + 2 * HOUR);
    expect(saga.calls).toContain('settleToZero');
  });

  test('confirms and the capture is refused: everything is undone and the tutor is told payment_failed', async () => {
    const input = await someBooking();
    const saga = await awaitingTutor(input, {
      ...allGoesWell(input, { instant: false }),
      capturePayment: refuses('payment_failed'),
    });
    await expect(saga.update('confirm', { actorId: input.tutorId })).rejects.toThrow('payment_failed');
    await expect(saga.result()).resolves.toMatchObject({ reason: 'payment_declined' });
  });

  test('confirms and declines at once: what came first counts, the other is refused', async () => {
    const input = await someBooking();
    const saga = await awaitingTutor(input);
    const [confirmation, refusal] = await Promise.allSettled([
      saga.update('confirm', { actorId: input.tutorId }),
      saga.update('decline', { actorId: input.tutorId, noteId: null }),
    ]);
    const declined = saga.calls.includes('settleToZero');
    expect([confirmation?.status, refusal?.status]).toEqual(
      declined ? ['rejected', 'fulfilled'] : ['fulfilled', 'rejected'],
    );
    expect(saga.calls.includes('capturePayment')).toBe(!declined);
  });

  test('confirms twice: the second is refused and nothing is captured twice', async () => {
    const input = await someBooking();
    const saga = await awaitingTutor(input);
    await saga.update('confirm', { actorId: input.tutorId });
    await expect(saga.update('confirm', { actorId: input.tutorId })).rejects.toThrow('invalid_state');
    expect(saga.calls.filter((call) => call === 'capturePayment')).toHaveLength(1);
  });
});

test('a tutor who answers at the very moment of being asked is heard', async () => {
  const input = await someBooking();
  const asking = gate();
  const saga = await harness.start(bookingSaga, input, {
    ...allGoesWell(input, { instant: false }),
    awaitTutor: asking.activity,
  });
  await saga.called('awaitTutor');
  const confirmed = saga.update('confirm', { actorId: input.tutorId });
  asking.open();
  await confirmed;
  expect(saga.calls).toContain('capturePayment');
});

describe('3-D Secure', () => {
  const asked = (input: BookingInput, refreshed: string, abandoned = 'voided'): Record<string, TestActivity> => {
    const payment = { paymentId: randomUUID(), bookingId: input.bookingId, captureBefore: null };
    return {
      ...allGoesWell(input),
      chargePayment: () => ({ ...payment, version: 1, status: 'requires_action' }),
      refreshPayment: () => ({ ...payment, version: 2, status: refreshed }),
      abandonPayment: () => ({ ...payment, version: 3, status: abandoned }),
    };
  };

  test('completed: the webhook’s signal wakes the saga, which asks Stripe', async () => {
    const input = await someBooking();
    const saga = await harness.start(bookingSaga, input, asked(input, 'captured'));
    await saga.called('chargePayment');
    await saga.handle.signal('paymentChanged', { paymentId: randomUUID(), version: 2 });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'completed' });
    expect(saga.calls.filter((call) => call === 'refreshPayment')).toHaveLength(1);
  });

  test('completed and the webhook lost: a poll finds it', async () => {
    const input = await someBooking();
    const saga = await harness.start(bookingSaga, input, asked(input, 'captured'));
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'completed' });
    expect(saga.calls).toContain('refreshPayment');
  });

  test('failed: the booking is declined and undone', async () => {
    const input = await someBooking();
    const saga = await harness.start(bookingSaga, input, asked(input, 'failed'));
    await expect(saga.result()).resolves.toMatchObject({ reason: 'payment_declined' });
    expect(saga.calls).toContain('settleToZero');
  });

  test('not completed in 15 minutes: the payment is abandoned first, then everything undone', async () => {
    const input = await someBooking();
    const started = await now();
    const saga = await harness.start(bookingSaga, input, asked(input, 'requires_action'));
    await expect(saga.result()).resolves.toMatchObject({ reason: 'payment_expired' });
    expect(saga.calls.indexOf('abandonPayment')).toBeLessThan(saga.calls.indexOf('settleToZero'));
    expect((await now()) - started).toBeGreaterThanOrEqual(15 * 60_000);
  });

  test('completed in the very moment it is abandoned: Stripe says paid and the booking goes on', async () => {
    const input = await someBooking();
    const saga = await harness.start(bookingSaga, input, asked(input, 'requires_action', 'captured'));
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'completed' });
    expect(saga.calls).not.toContain('settleToZero');
  });
});

describe('a confirmed booking', () => {
  test('cancelled by the student: slot released, refund made by its own saga, what is kept becomes payable', async () => {
    const input = await someBooking();
    const saga = await confirmed(input);
    await saga.update('cancel', await cancelBy('student'));
    await expect(saga.result()).resolves.toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
    expect(saga.calls.slice(5)).toEqual([
      'cancelConfirmed',
      'releaseSlot',
      'createRefund',
      'releaseEarnings',
      'notifyBooking',
    ]);
  });

  test('whose refund saga runs already, because something else started it, is cancelled all the same', async () => {
    const input = await someBooking();
    const refund = { refundId: randomUUID(), paymentId: randomUUID(), bookingId: null };
    const other = await harness.start(refundSaga, refund, {
      ...allGoesWell(input),
      submitRefund: () => ({ status: 'pending', version: 1, tries: 1 }),
      refreshRefund: () => ({ status: 'succeeded', version: 2, tries: 1 }),
    });
    const saga = await confirmed(input, { ...allGoesWell(input), createRefund: () => ({ refundId: refund.refundId }) });
    await saga.update('cancel', await cancelBy('student'));
    await expect(saga.result()).resolves.toMatchObject({ reason: 'cancelled_by_student' });
    expect(saga.calls).toContain('releaseEarnings');
    await expect(other.result()).resolves.toEqual({ status: 'succeeded' });
  });

  test('cancelled while its confirmation is still being written: the cancel waits for it and goes by the terms', async () => {
    const input = await someBooking();
    const writing = gate();
    const saga = await harness.start(bookingSaga, input, { ...allGoesWell(input), confirmBooking: writing.activity });
    await saga.called('confirmBooking');
    const cancelled = saga.update('cancel', await cancelBy('student'));
    await saga.updateArrived('cancel');
    writing.open();
    await cancelled;
    await expect(saga.result()).resolves.toMatchObject({ reason: 'cancelled_by_student' });
    expect(saga.calls).toContain('cancelConfirmed');
    expect(saga.calls).not.toContain('settleToZero');
  });

  test('whose money was given back by the tutor before the saga looked has been paid all the same', async () => {
    const input = await someBooking();
    const payment = { paymentId: randomUUID(), bookingId: input.bookingId, captureBefore: null };
    const saga = await harness.start(bookingSaga, input, {
      ...allGoesWell(input),
      chargePayment: () => ({ ...payment, version: 1, status: 'requires_action' }),
      refreshPayment: () => ({ ...payment, version: 3, status: 'partially_refunded' }),
    });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'completed' });
    expect(saga.calls).not.toContain('settleToZero');
  });

  test('cancelled without anything to give back: no refund is made', async () => {
    const input = await someBooking();
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      cancelConfirmed: () => ({ refund: EUR(0), retained: EUR(4500) }),
    });
    await saga.update('cancel', await cancelBy('student'));
    await saga.result();
    expect(saga.calls).not.toContain('createRefund');
    expect(saga.calls).toContain('releaseEarnings');
  });

  test('two cancels at once: one is accepted, the other refused', async () => {
    const input = await someBooking();
    const saga = await confirmed(input);
    const outcomes = await Promise.allSettled([
      saga.update('cancel', await cancelBy('student')),
      saga.update('cancel', await cancelBy('tutor')),
    ]);
    expect(outcomes.map((outcome) => outcome.status).toSorted()).toEqual(['fulfilled', 'rejected']);
    expect(saga.calls.filter((call) => call === 'cancelConfirmed')).toHaveLength(1);
  });

  test('moved: slot and booking move, the reminders follow the new start', async () => {
    const input = await someBooking(3 * DAY);
    const saga = await confirmed(input);
    const scheduledAt = new Date(Date.parse(input.scheduledAt) + 4 * DAY).toISOString();
    await saga.update('reschedule', {
      by: 'student',
      actorId: input.studentId,
      scheduledAt,
      requestedAt: new Date(await now()).toISOString(),
    });
    await saga.result();
    expect(saga.calls.slice(5, 8)).toEqual(['moveSlot', 'rescheduleBooking', 'notifyBooking']);
    expect(await now()).toBeGreaterThan(Date.parse(scheduledAt) + 2 * DAY);
  });

  test('moved to a slot that is taken: refused, and nothing has changed', async () => {
    const input = await someBooking();
    let moves = 0;
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      moveSlot: () => (moves++ === 0 ? refuses('slot_unavailable')(undefined, 1) : undefined),
    });
    const wish = {
      by: 'tutor',
      actorId: input.tutorId,
      scheduledAt: new Date((await now()) + 5 * DAY).toISOString(),
      requestedAt: new Date(await now()).toISOString(),
    };
    await expect(saga.update('reschedule', wish)).rejects.toThrow('slot_unavailable');
    expect(saga.calls).not.toContain('rescheduleBooking');
    await saga.update('cancel', await cancelBy('tutor'));
  });

  test('moved, and the booking refuses: the slot moves back', async () => {
    const input = await someBooking();
    const starts: string[] = [];
    let refusals = 0;
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      moveSlot: ({ start }: { start: string }) => void starts.push(start),
      rescheduleBooking: () => (refusals++ === 0 ? refuses('conflict')(undefined, 1) : undefined),
    });
    const scheduledAt = new Date((await now()) + 5 * DAY).toISOString();
    const wish = { by: 'tutor', actorId: input.tutorId, scheduledAt, requestedAt: new Date(await now()).toISOString() };
    await expect(saga.update('reschedule', wish)).rejects.toThrow('conflict');
    expect(starts).toEqual([scheduledAt, input.scheduledAt]);
  });

  test('cannot be moved by the student within 24 hours, nor completed before its end', async () => {
    const input = await someBooking(23 * HOUR);
    const saga = await confirmed(input);
    const requestedAt = new Date(await now()).toISOString();
    const scheduledAt = new Date((await now()) + 5 * DAY).toISOString();
    await expect(
      saga.update('reschedule', { by: 'student', actorId: input.studentId, scheduledAt, requestedAt }),
    ).rejects.toThrow('invalid_state');
    await expect(saga.update('complete', { actorId: input.tutorId, requestedAt })).rejects.toThrow('invalid_state');
    expect(saga.calls).not.toContain('moveSlot');
  });

  test('moved while another move waits for its turn: that one is judged by the new start', async () => {
    const input = await someBooking(5 * DAY);
    const saga = await confirmed(input, { ...allGoesWell(input), moveSlot: fails(2) });
    const requestedAt = new Date(await now()).toISOString();
    const wish = async (by: 'student' | 'tutor', startsIn: number) => ({
      ...{ by, actorId: randomUUID(), requestedAt },
      scheduledAt: new Date((await now()) + startsIn).toISOString(),
    });
    const first = saga.update('reschedule', await wish('tutor', 5 * HOUR));
    await saga.called('moveSlot');
    await expect(saga.update('reschedule', await wish('student', 6 * DAY))).rejects.toThrow('invalid_state');
    await first;
    expect(saga.calls.filter((call) => call === 'moveSlot')).toHaveLength(1);
  });

  test('cannot be moved by its tutor once it has begun', async () => {
    const input = await someBooking(HOUR);
    const saga = await confirmed(input);
    await harness.env.sleep(HOUR + MINUTE);
    const requestedAt = new Date(await now()).toISOString();
    const scheduledAt = new Date((await now()) + 5 * DAY).toISOString();
    const wish = { by: 'tutor', actorId: input.tutorId, scheduledAt, requestedAt };
    await expect(saga.update('reschedule', wish)).rejects.toThrow('invalid_state');
    expect(saga.calls).not.toContain('moveSlot');
  });

  test('whose cancel the service refuses asks for an operator; accepted: nothing is refunded, the slot is free', async () => {
    const input = await someBooking();
    const saga = await confirmed(input, { ...allGoesWell(input), cancelConfirmed: refuses('invalid_state') });
    const cancelled = saga.update('cancel', await cancelBy('student'));
    await saga.called('cancelConfirmed');
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { action: 'accept', noteId: null });
    await cancelled;
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'cancelled' });
    expect(saga.calls).toContain('releaseSlot');
    expect(saga.calls).not.toContain('createRefund');
  });

  test('whose refund the service refuses asks for an operator; accepted: the rest is kept for the tutor', async () => {
    const input = await someBooking();
    const saga = await confirmed(input, { ...allGoesWell(input), createRefund: refuses('refund_exceeds_payment') });
    const cancelled = saga.update('cancel', await cancelBy('student'));
    await saga.called('createRefund');
    await saga.becomes('NeedsAttention');
    await saga.update('resolve', { action: 'accept', noteId: null });
    await cancelled;
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'cancelled' });
    expect(saga.calls).toContain('releaseEarnings');
  });

  test('completed by the tutor after its end', async () => {
    const input = await someBooking(HOUR / 2);
    const saga = await confirmed(input);
    await harness.env.sleep(2 * HOUR);
    await saga.update('complete', { actorId: input.tutorId, requestedAt: new Date(await now()).toISOString() });
    await expect(saga.result()).resolves.toEqual({ outcome: 'completed', reason: 'completed_by_tutor' });
  });
});

describe('an undo that keeps failing', () => {
  test('does not hold up the others, asks for an operator after an hour, and is retried until it is done', async () => {
    const input = await someBooking();
    let mended = false;
    const saga = await harness.start(bookingSaga, input, {
      ...allGoesWell(input),
      chargePayment: refuses('payment_declined'),
      settleToZero: () => (mended ? undefined : fails()(undefined, 1)),
    });
    await saga.called('settleToZero');
    await harness.env.sleep(MINUTE);
    expect(saga.calls.slice(3)).toEqual(['settleToZero', 'releaseSlot', 'cancelBooking']);
    expect(await saga.attribute('SagaState')).toBe('Compensating');
    await harness.env.sleep(2 * HOUR);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    mended = true;
    await expect(saga.result()).resolves.toMatchObject({ reason: 'payment_declined' });
    expect(await saga.attribute('SagaState')).toBe('Compensated');
  });

  test('is given up when an operator accepts that', async () => {
    const input = await someBooking();
    const saga = await harness.start(bookingSaga, input, {
      ...allGoesWell(input),
      chargePayment: refuses('payment_declined'),
      settleToZero: refuses('refund_failed'),
    });
    await saga.called('settleToZero');
    await harness.env.sleep(MINUTE);
    await saga.called('cancelBooking');
    await expect(saga.update('resolve', { action: 'ignore', noteId: null })).rejects.toThrow('validation_failed');
    await saga.update('resolve', { action: 'accept', noteId: null });
    await expect(saga.result()).resolves.toMatchObject({ reason: 'payment_declined' });
  });

  test('resolve is refused while nothing needs attention', async () => {
    const input = await someBooking();
    const saga = await awaitingTutor(input);
    await expect(saga.update('resolve', { action: 'accept', noteId: null })).rejects.toThrow('invalid_state');
  });
});

test('a cancel by Temporal while everything is undone changes nothing', async () => {
  const input = await someBooking();
  const undoing = gate();
  const saga = await harness.start(bookingSaga, input, {
    ...allGoesWell(input),
    chargePayment: refuses('payment_declined'),
    settleToZero: undoing.activity,
  });
  await saga.called('settleToZero');
  await saga.handle.cancel();
  undoing.open();
  await expect(saga.result()).resolves.toMatchObject({ reason: 'payment_declined' });
});

test('starting the same booking twice runs it once', async () => {
  const input = await someBooking();
  const saga = await awaitingTutor(input);
  await expect(harness.start(bookingSaga, input, {})).rejects.toThrow(/already started/i);
  expect(saga.calls.filter((call) => call === 'createBooking')).toHaveLength(1);
});

test('every step, also of the refund that a booking starts, runs in the trace of the request', () => {
  expect([...harness.untraced]).toEqual([]);
});
