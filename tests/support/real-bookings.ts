import { randomUUID } from 'node:crypto';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DAY } from '../../kernel/time';
import { createSagas, type Sagas } from '../../platform/temporal';
import { type BookingInput, bookingWorkflowId, cancelUpdate, rescheduleUpdate } from '../../workflows/booking.api';
import { startRealTemporal } from './real-temporal';
import { type SagaHarness, startSagaHarness } from './saga-harness';

/**
 * The saga harness on Temporal's real server for one test file about bookings, started before its tests and stopped after them, and what
 * people ask of those bookings as the services do. `eventsOfARun`: as `startRealTemporal` takes it.
 */
export function realBookings(eventsOfARun?: number) {
  let running:
    | { temporal: Awaited<ReturnType<typeof startRealTemporal>>; harness: SagaHarness; sagas: Sagas }
    | undefined;
  const reached = () => {
    if (!running) throw new Error('the harness runs from beforeAll to afterAll');
    return running;
  };
  beforeAll(async () => {
    const temporal = await startRealTemporal(eventsOfARun);
    const { TEMPORAL_ADDRESS: address, TEMPORAL_NAMESPACE: namespace } = temporal.config;
    const server = () => TestWorkflowEnvironment.createFromExistingServer({ address, namespace });
    running = { temporal, harness: await startSagaHarness(undefined, server), sagas: createSagas(temporal.config) };
  }, 90_000);
  afterAll(async () => {
    await running?.sagas.close();
    await running?.harness.close();
    await running?.temporal.close();
  });

  const harness: Pick<SagaHarness, 'env' | 'start' | 'replay'> = {
    get env() {
      return reached().harness.env;
    },
    start: (saga, input, activities) => reached().harness.start(saga, input, activities),
    replay: (handle) => reached().harness.replay(handle),
  };

  const start = Date.now() + 10 * DAY;
  /** Ten days ahead, and so many more. */
  const at = (daysLater: number) => new Date(start + daysLater * DAY).toISOString();
  const now = () => new Date().toISOString();
  const actorId = randomUUID();

  /** An update of a booking's saga, by the client of sagas that the services use. */
  function send<Argument>(
    bookingId: string,
    update: { name: string },
    argument: Argument,
    updateId: string = randomUUID(),
  ): Promise<unknown> {
    return reached().sagas.update(bookingWorkflowId(bookingId), update, argument, { updateId });
  }

  return {
    harness,
    at,
    now,
    actorId,
    send,
    someBooking: (): BookingInput => ({
      bookingId: randomUUID(),
      studentId: randomUUID(),
      tutorId: randomUUID(),
      scheduledAt: at(0),
      durationMinutes: 60,
      paymentMethodId: 'pm_card_visa',
    }),
    /** The tutor moves the session to `at(daysLater)`. */
    move: (bookingId: string, daysLater: number, updateId?: string) =>
      send(
        bookingId,
        rescheduleUpdate,
        { by: 'tutor', actorId, scheduledAt: at(daysLater), requestedAt: now() },
        updateId,
      ),
    /** The student cancels. */
    cancel: (bookingId: string) =>
      send(bookingId, cancelUpdate, { by: 'student', actorId, noteId: null, requestedAt: now() }),
  };
}
