import { DAY, HOUR, MINUTE } from '../kernel/time';
import { allGoesWell, bookingSagas } from '../tests/support/booking-saga';
import { fails, gate, isAway, refuses } from '../tests/support/saga-harness';
import { bookingSaga } from './booking.api';

const { harness, now, someBooking, awaitingTutor } = bookingSagas();

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
      authorizePayment: refuses('payment_declined'),
      chargePayment: refuses('payment_declined'),
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
      const after = saga.calls.slice(saga.calls.indexOf(step) + 1);
      expect(after.filter((call) => call !== 'notifyBooking' && call !== step)).toEqual(undone);
      expect(givenUpAfter).toBeLessThan(25 * 60_000);
    },
  );

  test('a step that fails for a while is retried and the booking goes on', async () => {
    const input = await someBooking();
    const well = allGoesWell(input);
    const saga = await harness.start(bookingSaga, input, { ...well, chargePayment: fails(3, well.chargePayment) });
    await expect(saga.result()).resolves.toMatchObject({ outcome: 'completed' });
  });

  test('after the pivot nothing is undone: a confirmation that is refused asks for an operator and is retried at the answer', async () => {
    const input = await someBooking();
    let mended = false;
    const saga = await harness.start(bookingSaga, input, {
      ...allGoesWell(input),
      confirmBooking: () => (mended ? undefined : refuses('invalid_state')(undefined, 1)),
    });
    await saga.called('confirmBooking');
    await saga.becomes('NeedsAttention');
    mended = true;
    await saga.update('resolve', { action: 'retry', noteId: null });
    await saga.called('notifyBooking');
    expect(saga.calls).not.toContain('settleToZero');
    await saga.becomes('Confirmed');
  });
});

describe('an undo that keeps failing', () => {
  test('does not hold up the others, asks for an operator after an hour, and is retried until it is done', async () => {
    const input = await someBooking();
    let mended = false;
    const saga = await harness.start(bookingSaga, input, {
      ...allGoesWell(input),
      chargePayment: refuses('payment_declined'),
      settleToZero: (input, attempt) => (mended ? undefined : isAway(input, attempt)),
    });
    await saga.called('settleToZero');
    await harness.env.sleep(MINUTE);
    expect(saga.calls.slice(3, 6)).toEqual(['settleToZero', 'releaseSlot', 'cancelBooking']);
    expect(await saga.attribute('SagaState')).toBe('Compensating');
    await harness.env.sleep(2 * HOUR);
    expect(await saga.attribute('SagaState')).toBe('NeedsAttention');
    mended = true;
    await expect(saga.result()).resolves.toMatchObject({ reason: 'payment_declined' });
    expect(await saga.attribute('SagaState')).toBe('Compensated');
  });

  test('is given up when an operator says what became of the money, of which nothing stays reserved', async () => {
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
    await saga.update('resolve', { action: 'paid_elsewhere', noteId: null });
    await expect(saga.result()).resolves.toMatchObject({ reason: 'payment_declined' });
    expect(saga.calls).toContain('settleByHand');
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
