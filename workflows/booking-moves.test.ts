import { randomUUID } from 'node:crypto';
import { DAY, HOUR, MINUTE } from '../kernel/time';
import { allGoesWell, bookingSagas } from '../tests/support/booking-saga';
import { gate, isAway, refuses } from '../tests/support/saga-harness';

const { harness, now, someBooking, confirmed, cancelBy } = bookingSagas();

type Input = Awaited<ReturnType<typeof someBooking>>;

/** A wish to move the session so far ahead. */
async function wish(input: Input, startsIn: number, by: 'student' | 'tutor' = 'tutor') {
  const actorId = by === 'tutor' ? input.tutorId : input.studentId;
  const scheduledAt = new Date((await now()) + startsIn).toISOString();
  return { by, actorId, scheduledAt, requestedAt: new Date(await now()).toISOString() };
}

/** What a saga called from its first move on. */
const movesOf = (calls: string[]) => calls.slice(calls.indexOf('admitMove'));

test('the new time is reserved, the booking switched, then the old time given away; the reminders follow', async () => {
  const input = await someBooking(3 * DAY);
  const saga = await confirmed(input);
  const later = await wish(input, 7 * DAY, 'student');
  await saga.update('reschedule', later);
  expect(movesOf(saga.calls).filter((call) => call !== 'notifyBooking')).toEqual([
    'admitMove',
    'reserveSlot',
    'rescheduleBooking',
    'keepSlot',
  ]);
  await saga.result();
  expect(await now()).toBeGreaterThan(Date.parse(later.scheduledAt) + 2 * DAY);
});

test.each([
  ['admitMove', 'conflict', ['admitMove']],
  ['admitMove', 'invalid_state', ['admitMove']],
  ['reserveSlot', 'slot_unavailable', ['admitMove', 'reserveSlot', 'unreserveSlot']],
  ['rescheduleBooking', 'conflict', ['admitMove', 'reserveSlot', 'rescheduleBooking', 'unreserveSlot']],
] as const)('%s is refused with %s: the session stays where it is', async (step, code, calls) => {
  const input = await someBooking();
  const saga = await confirmed(input, { ...allGoesWell(input), [step]: refuses(code) });
  await expect(saga.update('reschedule', await wish(input, 5 * DAY))).rejects.toThrow(code);
  expect(movesOf(saga.calls)).toEqual(calls);
});

test.each(['admitMove', 'reserveSlot'])(
  '%s is not answered: the move is given up, and the next one made',
  async (step) => {
    const input = await someBooking();
    let isDown = true;
    const saga = await confirmed(input, {
      ...allGoesWell(input),
      [step]: (asked: unknown, attempt: number) => (isDown ? isAway(asked, attempt) : undefined),
    });
    await expect(saga.update('reschedule', await wish(input, 5 * DAY))).rejects.toThrow('upstream_unavailable');
    expect(saga.calls).not.toContain('rescheduleBooking');
    isDown = false;
    await saga.update('reschedule', await wish(input, 5 * DAY));
    expect(saga.calls).toContain('keepSlot');
  },
);

test('the switch is not answered: it may have happened, so it is asked again until it says', async () => {
  const input = await someBooking();
  let isDown = true;
  const saga = await confirmed(input, {
    ...allGoesWell(input),
    rescheduleBooking: (asked, attempt) => (isDown ? isAway(asked, attempt) : undefined),
  });
  const moving = saga.update('reschedule', await wish(input, 5 * DAY));
  await saga.called('rescheduleBooking');
  await harness.env.sleep(5 * MINUTE);
  isDown = false;
  await harness.env.sleep(10 * MINUTE);
  await moving;
  expect(saga.calls).not.toContain('unreserveSlot');
  expect(saga.calls).toContain('keepSlot');
});

test('while the switch is not answered a cancel is heard, and makes the move pointless; another move has to wait', async () => {
  const input = await someBooking();
  const saga = await confirmed(input, { ...allGoesWell(input), rescheduleBooking: isAway });
  const moving = saga.update('reschedule', await wish(input, 5 * DAY)).catch((error: Error) => error.message);
  await saga.called('rescheduleBooking');
  await harness.env.sleep(MINUTE);
  await expect(saga.update('reschedule', await wish(input, 6 * DAY))).rejects.toThrow('upstream_unavailable');
  await saga.update('cancel', await cancelBy('student'));
  expect(await moving).toBe('upstream_unavailable');
  await expect(saga.result()).resolves.toEqual({ outcome: 'cancelled', reason: 'cancelled_by_student' });
  expect(saga.calls).toContain('releaseSlot');
});

test('the old time is given away late: whoever moved it is answered, and another move waits for it', async () => {
  const input = await someBooking();
  const keeping = gate();
  const saga = await confirmed(input, { ...allGoesWell(input), keepSlot: keeping.activity });
  await saga.update('reschedule', await wish(input, 5 * DAY));
  await expect(saga.update('reschedule', await wish(input, 6 * DAY))).rejects.toThrow('upstream_unavailable');
  keeping.open();
  await saga.becomes('Confirmed');
});

test.each(['cancel', 'Request Cancellation'])('whose undo is not done hears a %s', async (how) => {
  const input = await someBooking();
  const saga = await confirmed(input, {
    ...allGoesWell(input),
    rescheduleBooking: refuses('conflict'),
    unreserveSlot: isAway,
  });
  await expect(saga.update('reschedule', await wish(input, 5 * DAY))).rejects.toThrow('conflict');
  await expect(saga.update('reschedule', await wish(input, 5 * DAY))).rejects.toThrow('upstream_unavailable');
  if (how === 'cancel') await saga.update('cancel', await cancelBy('student'));
  else await saga.handle.cancel();
  const by = how === 'cancel' ? 'student' : 'operator';
  await expect(saga.result()).resolves.toEqual({ outcome: 'cancelled', reason: `cancelled_by_${by}` });
  expect(saga.calls).toContain('releaseSlot');
});

test('booking is asked by when the request arrived and by whom, and the saga has no terms of its own', async () => {
  const input = await someBooking(23 * HOUR);
  const asked: unknown[] = [];
  const saga = await confirmed(input, { ...allGoesWell(input), admitMove: (move) => void asked.push(move) });
  const { by, scheduledAt, requestedAt, actorId } = await wish(input, 5 * DAY, 'student');
  await saga.update('reschedule', { by, scheduledAt, requestedAt, actorId });
  expect(asked).toEqual([{ bookingId: input.bookingId, scheduledAt, by, requestedAt }]);
});

test('moved while another move waits for its turn: that one is asked for when its turn comes', async () => {
  const input = await someBooking(5 * DAY);
  const moving = gate();
  const admitted: string[] = [];
  const saga = await confirmed(input, {
    ...allGoesWell(input),
    reserveSlot: moving.activity,
    admitMove: ({ scheduledAt }: { scheduledAt: string }) => {
      admitted.push(scheduledAt);
      return admitted.length === 2 ? refuses('invalid_state')({}, 1) : undefined;
    },
  });
  const [first, second] = [await wish(input, 5 * HOUR), await wish(input, 6 * DAY, 'student')];
  const moved = saga.update('reschedule', first);
  await saga.called('reserveSlot');
  const late = saga.update('reschedule', second).catch((error: Error) => error.message);
  await saga.updateArrived('reschedule', 2);
  expect(admitted).toEqual([first.scheduledAt]);
  moving.open();
  await moved;
  expect(await late).toBe('invalid_state');
  expect(admitted).toEqual([first.scheduledAt, second.scheduledAt]);
});

test('there and back and there again: each of the three is told', async () => {
  const input = await someBooking();
  const told: string[] = [];
  const saga = await confirmed(input, {
    ...allGoesWell(input),
    notifyBooking: ({ notice, key }: { notice: string; key: string }) => {
      if (notice === 'rescheduled') told.push(key);
    },
  });
  const there = { by: 'tutor', actorId: randomUUID(), scheduledAt: new Date((await now()) + 5 * DAY).toISOString() };
  const requestedAt = new Date(await now()).toISOString();
  for (const scheduledAt of [there.scheduledAt, input.scheduledAt, there.scheduledAt, there.scheduledAt])
    await saga.update('reschedule', { ...there, scheduledAt, requestedAt });
  await saga.update('cancel', await cancelBy('tutor'));
  await saga.result();
  expect(new Set(told).size).toBe(3);
  expect(told).toHaveLength(3);
});

test('moved again while a move is made whose undo is not done: the second has to be asked for again', async () => {
  const input = await someBooking();
  const reserving = gate();
  const saga = await confirmed(input, {
    ...allGoesWell(input),
    reserveSlot: reserving.activity,
    rescheduleBooking: refuses('conflict'),
    unreserveSlot: isAway,
  });
  const first = saga.update('reschedule', await wish(input, 5 * DAY)).catch((error: Error) => error.message);
  await saga.called('reserveSlot');
  const second = saga.update('reschedule', await wish(input, 6 * DAY)).catch((error: Error) => error.message);
  await saga.updateArrived('reschedule', 2);
  reserving.open();
  expect([await first, await second]).toEqual(['conflict', 'upstream_unavailable']);
  await saga.update('cancel', await cancelBy('student'));
  await expect(saga.result()).resolves.toMatchObject({ reason: 'cancelled_by_student' });
});
