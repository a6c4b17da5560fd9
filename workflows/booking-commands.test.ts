import { randomUUID } from 'node:crypto';
import { DAY, HOUR, MINUTE, SECOND } from '../kernel/time';
import { allGoesWell, bookingSagas } from '../tests/support/booking-saga';
import { fails, gate, isAway, refuses, type TestActivity } from '../tests/support/saga-harness';
import { FORWARD_MONEY } from './activity-options';
import { type BookingInput, bookingSaga } from './booking.api';

/** So often a local step is tried. */
const LOCAL_ATTEMPTS = 7;

const { harness, now, someBooking, awaitingTutor, cancelBy } = bookingSagas();

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
    const { startTime, closeTime } = await saga.handle.describe();
    const waited = (closeTime?.getTime() ?? 0) - startTime.getTime();
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

describe('the platform is in trouble after the tutor’s confirmation', () => {
  test('for a while: the money is authorised, so it is retried and the booking goes on', async () => {
    const input = await someBooking();
    let mended = false;
    const saga = await awaitingTutor(input, {
      ...allGoesWell(input, { instant: false }),
      blockSlot: (step, attempt) => (mended ? undefined : isAway(step, attempt)),
    });
    const confirmation = saga.update('confirm', { actorId: input.tutorId });
    await saga.called('blockSlot');
    await harness.env.sleep(20 * MINUTE);
    mended = true;
    // Lets time pass until the next attempt, which waiting for an update's answer does not.
    await saga.becomes('Confirmed');
    await confirmation;
    expect(saga.calls).not.toContain('settleToZero');
  });

  test('until no attempt is left before the session: all is undone, and that is the platform’s fault alone', async () => {
    const input = await someBooking(HOUR);
    const told: string[] = [];
    const saga = await awaitingTutor(input, {
      ...allGoesWell(input, { instant: false }),
      blockSlot: isAway,
      notifyBooking: ({ notice }: { notice: string }) => void told.push(notice),
    });
    const confirmation = saga.update('confirm', { actorId: input.tutorId }).catch((error: Error) => error.message);
    await expect(saga.result()).resolves.toMatchObject({ reason: 'platform_unavailable' });
    expect(await confirmation).toBe('upstream_unavailable');
    expect(saga.calls).toContain('settleToZero');
    // The server gives an activity up as soon as its next attempt would begin after its time, which is up to one pause earlier.
    const { maximumInterval } = FORWARD_MONEY.retry ?? {};
    expect(maximumInterval).toBe('30s');
    expect(await now()).toBeGreaterThanOrEqual(Date.parse(input.scheduledAt) - 30 * SECOND);
    expect(told).toEqual(['requested', 'cancelled']);
  });
});

test.each(['createBooking', 'holdSlot', 'chargePayment'])(
  'a booking whose %s is never answered is told to the student alone, as the platform’s fault: it may have been made',
  async (step) => {
    const input = await someBooking();
    const told: string[] = [];
    const reasons: string[] = [];
    const saga = await harness.start(bookingSaga, input, {
      ...allGoesWell(input),
      [step]: isAway,
      cancelBooking: ({ reason }: { reason: string }) => void reasons.push(reason),
      notifyBooking: ({ notice }: { notice: string }) => void told.push(notice),
    });
    await expect(saga.result()).resolves.toMatchObject({ reason: 'platform_unavailable' });
    expect([reasons, told]).toEqual([['platform_unavailable'], ['expired']]);
  },
);

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

test('the notice that asks the tutor fails while their yes is carried out: another worker can take the booking over', async () => {
  const input = await someBooking();
  const asking = gate();
  let asked = 0;
  const saga = await harness.start(bookingSaga, input, {
    ...allGoesWell(input, { instant: false }),
    // As a recorded step: an answer that comes meanwhile is carried out in the workflow task that sends the notice.
    awaitTutor: (step, attempt) => (++asked > LOCAL_ATTEMPTS ? asking.activity() : isAway(step, attempt)),
    // Later than the step that follows the yes ends, where nothing makes that one wait.
    notifyBooking: async (step, attempt) => {
      if (attempt > 1) return;
      await new Promise((resolve) => setTimeout(resolve, 500));
      isAway(step, attempt);
    },
  });
  while (asked <= LOCAL_ATTEMPTS) await harness.env.sleep(SECOND);
  const confirmed = saga.update('confirm', { actorId: input.tutorId });
  await saga.updateArrived('confirm');
  // What was accepted behind it is refused when its turn comes.
  const declined = saga
    .update('decline', { actorId: input.tutorId, noteId: null })
    .catch((error: Error) => error.message);
  await saga.updateArrived('decline');
  asking.open();
  await confirmed;
  expect(await declined).toBe('invalid_state');
  expect(asked).toBe(LOCAL_ATTEMPTS + 1);
  expect(saga.calls.indexOf('notifyBooking')).toBeLessThan(saga.calls.indexOf('blockSlot'));
  await harness.replay(saga.handle);
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

describe('3-D Secure where the tutor must confirm', () => {
  const bankAsks = async (extendHold: TestActivity) => {
    const input = await someBooking();
    const payment = { paymentId: randomUUID(), bookingId: input.bookingId, captureBefore: null };
    const charged: { awaitingUntil: string }[] = [];
    const held: { key: string; expiresAt: string }[] = [];
    const activities: Record<string, TestActivity> = {
      ...allGoesWell(input, { instant: false }),
      authorizePayment: (asked) => {
        charged.push(asked);
        return { ...payment, version: 1, status: 'requires_action' };
      },
      refreshPayment: () => ({ ...payment, version: 2, status: 'authorized' }),
      extendHold: (hold, attempt) => {
        held.push(hold);
        return extendHold(hold, attempt);
      },
    };
    return { input, activities, charged, held };
  };
  const isForTheBank = ({ key }: { key: string }) => key.endsWith('/hold-for-the-bank');

  test('holds the slot for as long as the bank may ask, and then for as long as the tutor may answer', async () => {
    const { input, activities, charged, held } = await bankAsks(() => undefined);
    const saga = await harness.start(bookingSaga, input, activities);
    await saga.called('extendHold');
    await saga.handle.signal('paymentChanged', { paymentId: randomUUID(), version: 2 });
    await saga.called('notifyBooking');
    expect(saga.calls).toEqual([
      ...['createBooking', 'holdSlot', 'authorizePayment', 'extendHold', 'refreshPayment'],
      ...['extendHold', 'awaitTutor', 'notifyBooking'],
    ]);
    expect(held.map(isForTheBank)).toEqual([true, false]);
    const [forTheBank, forTheTutor] = held.map(({ expiresAt }) => Date.parse(expiresAt));
    // The charge may be retried for ten minutes before the bank asks for these fifteen, and a hold outlives its wait by ten.
    expect(forTheBank).toBe(Date.parse(charged[0]?.awaitingUntil ?? '') + 20 * MINUTE);
    expect(forTheTutor).toBeGreaterThan(forTheBank ?? Number.POSITIVE_INFINITY);
  });

  test.each([
    ['is refused', refuses('conflict')],
    ['finds its service away', isAway],
  ])('goes on where a longer hold %s: whether the slot is still free is for the block to say', async (_, fails) => {
    const { input, activities, held } = await bankAsks((hold, attempt) =>
      isForTheBank(hold) ? fails(hold, attempt) : undefined,
    );
    const saga = await harness.start(bookingSaga, input, activities);
    await saga.called('extendHold');
    await harness.env.sleep(3 * MINUTE);
    await saga.becomes('AwaitingTutor');
    expect(held.some(isForTheBank)).toBe(true);
    await saga.update('confirm', { actorId: input.tutorId });
    expect(saga.calls).toContain('blockSlot');
  });

  test('is called off by a cancel that comes while the hold is made longer: the bank is asked nothing more', async () => {
    const { input, activities } = await bankAsks(isAway);
    const saga = await harness.start(bookingSaga, input, activities);
    await saga.called('extendHold');
    await saga.update('cancel', await cancelBy('student'));
    await expect(saga.result()).resolves.toMatchObject({ reason: 'cancelled_by_student' });
    expect(saga.calls).not.toContain('refreshPayment');
    expect(saga.calls.slice(-3)).toEqual(['settleToZero', 'releaseSlot', 'cancelBooking']);
  });
});
