import { eq } from 'drizzle-orm';
import fc from 'fast-check';
import { bookings, events } from '../../../db/schema/booking';
import { ProblemError } from '../../../kernel/errors';
import { PARTIES } from '../../../kernel/session';
import { PAYMENT_STATUSES } from '../../../kernel/statuses';
import { uuidv7 } from '../../../platform/ids';
import { bookingRows, step } from '../../../tests/support/booking-rows';
import { eur, inHours, payment } from '../../../tests/support/bookings';
import { expectFolded, faultsOfColumns } from '../../../tests/support/folds';
import { bookingEvents } from '../events';
import { BOOKING_COLUMNS } from '../rules/fold';
import { foldedBookings } from './fold';
import { setMeetingUrl } from './meeting-link';
import { recordPayment, recordRefund } from './payment-copy';
import {
  awaitTutor,
  cancelConfirmed,
  cancelPending,
  completeConfirmed,
  confirmPending,
  moveConfirmed,
} from './saga-steps';

jest.setTimeout(120_000);

const SEED = 20_261_129;
const STORIES = 60;

const { db, created } = bookingRows();

const by = fc.constantFrom(...PARTIES);
/** In quarters of what the session costs. */
const quarters = fc.integer({ min: 0, max: 4 });
const act = fc.oneof(
  fc.record({
    act: fc.constant('pay' as const),
    status: fc.constantFrom(...PAYMENT_STATUSES),
    until: fc.boolean(),
    captured: quarters,
    refunded: quarters,
  }),
  fc.record({ act: fc.constant('refund' as const), refunded: fc.constantFrom(0, 1, 4, 4) }),
  fc.record({ act: fc.constant('await' as const), hours: fc.integer({ min: 1, max: 48 }) }),
  fc.record({ act: fc.constantFrom('confirm' as const, 'link' as const) }),
  fc.record({
    act: fc.constantFrom('undo' as const, 'cancel' as const, 'move' as const, 'back' as const),
    by,
    hours: fc.integer({ min: 1, max: 200 }),
  }),
  fc.record({ act: fc.constant('complete' as const), way: fc.constantFrom('tutor' as const, 'time' as const) }),
);
type Act = typeof act extends fc.Arbitrary<infer One> ? One : never;

/** Any life of a booking. It begins at an instant tutor or not, and its first session lies so many hours ahead. */
const life = fc.record({
  instantBooking: fc.boolean(),
  hours: fc.constantFrom(2, 12, 72),
  acts: fc.array(act, { minLength: 4, maxLength: 14 }),
});

async function play(id: string, one: Act, n: number, paid: { id: string; version: number }): Promise<void> {
  const at = (name: string) => step(id, `${name}-${n}`);
  const undoAt = step(id, `move-${n}/undo`);
  const projection = (captured: number, refunded: number) => ({
    ...{ id: paid.id, version: ++paid.version, captured: eur(captured * 1_000), amount: eur(4_000) },
    refunded: eur(Math.min(captured, refunded) * 1_000),
  });
  switch (one.act) {
    case 'pay': {
      const state = payment({ ...projection(one.captured, one.refunded), status: one.status });
      return recordPayment(db(), at('payment'), id, state, one.until ? inHours(1 + n) : null);
    }
    case 'refund':
      return recordRefund(db(), at('refund'), id, payment({ ...projection(4, one.refunded), status: 'captured' }));
    case 'await':
      return awaitTutor(db(), at('await'), id, inHours(one.hours));
    case 'confirm':
      return confirmPending(db(), at('confirm'), id);
    case 'link':
      return setMeetingUrl(db(), id, `https://meet.example.org/${n}`);
    case 'undo': {
      const reason = one.by === 'tutor' ? 'declined' : 'payment_declined';
      const cancelledBy = one.by === 'operator' ? null : one.by;
      return cancelPending(db(), step(id, `create-${n}/undo`), id, { reason, noteId: null, cancelledBy });
    }
    case 'cancel':
      await cancelConfirmed(db(), at('cancel'), id, {
        by: one.by,
        noteId: null,
        requestedAt: new Date().toISOString(),
      });
      return;
    case 'move':
    case 'back':
      await moveConfirmed(db(), one.act === 'move' ? at('move') : undoAt, id, {
        ...{ scheduledAt: inHours(one.hours), by: one.by },
      });
      return;
    case 'complete':
      return completeConfirmed(db(), at('complete'), id, one.way);
  }
}

test('whatever becomes of a booking, its row is what its events say', async () => {
  await fc.assert(
    fc.asyncProperty(life, async ({ instantBooking, hours, acts }) => {
      const { id } = await created({ instantBooking, scheduledAt: inHours(hours) });
      await expectFolded(db(), [foldedBookings]);
      const paid = { id: uuidv7(), version: 0 };
      for (const [n, one] of acts.entries()) {
        // Refusals are right answers here: not every act fits where the life stands.
        await play(id, one, n, paid).catch((error: unknown) => {
          if (!(error instanceof ProblemError)) throw error;
        });
        await expectFolded(db(), [foldedBookings]);
      }
    }),
    { seed: SEED, numRuns: STORIES, endOnFailure: true },
  );
  // Lives in which nothing happened would prove nothing.
  const told = await db().selectDistinct({ type: events.type }).from(events);
  const happened = Object.keys(bookingEvents).filter((type) => type !== 'BookingBaseline');
  expect(told.map(({ type }) => type).toSorted()).toEqual(happened.toSorted());
  const seen = await db().selectDistinct({ status: bookings.status }).from(bookings);
  expect(seen).toHaveLength(5);
});

test('a row that its events do not tell of as it is is found by its columns, until its fold begins anew', async () => {
  const { id } = await created();
  expect(await foldedBookings.rebase(db(), id)).toBe(false);
  await db().update(bookings).set({ refundPercent: 50, movedByTutorAt: new Date() }).where(eq(bookings.id, id));
  await expect(expectFolded(db(), [foldedBookings])).rejects.toMatchObject({
    matcherResult: { actual: [{ kind: 'booking', id, columns: ['movedByTutorAt', 'refundPercent'] }] },
  });
  expect(await foldedBookings.rebase(db(), id)).toBe(true);
  await expectFolded(db(), [foldedBookings]);
  expect(await foldedBookings.rebase(db(), id)).toBe(false);
});

test('every column of a booking is told of, or left out with a reason', () => {
  expect(faultsOfColumns(bookings, BOOKING_COLUMNS)).toEqual([]);
  const { status: _, ...others } = BOOKING_COLUMNS;
  expect(faultsOfColumns(bookings, { ...others, colour: 'told', subject: { because: 'no' } })).toEqual([
    'status: is not declared',
    'colour: is no column',
    'subject: its reason says nothing',
  ]);
});
