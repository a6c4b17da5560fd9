import { ProblemError } from '../../kernel/errors';
import { serviceTokens } from '../../platform/auth';
import { createServiceClient, type ServiceClient } from '../../platform/http-client';
import { uuidv7 } from '../../platform/ids';
import type { Sagas } from '../../platform/temporal';
import { createBookingClient } from '../../services/booking/client';
import type { PaymentProjection } from '../../services/booking/contract';
import { bookingService } from '../../services/booking/routes';
import { eur, inHours, payment, person } from './bookings';
import { type Ask, type Reply, startTestService, type TestService } from './service';

/** Plays the saga's part: what it does to a booking, through booking's client and real HTTP as the activities do. */
export type Script = (id: string) => Promise<unknown>;

/** An update that a route sent to a booking's saga. */
export interface Update {
  workflowId: string;
  name: string;
  argument: unknown;
  updateId: string;
}

/** A student and a tutor who may have a booking with each other, by id and by access token. */
export interface People {
  student: string;
  tutor: string;
  studentToken: string;
  tutorToken: string;
}

/** A request whose saga could not be started, and whose client was told to come back. */
export interface Unstarted {
  who: People;
  id: string;
  /** Comes back, under the same key. */
  post(): Promise<Reply>;
}

/** The idempotency key of a saga's step. */
export const key = <Name extends string>(id: string, step: Name) => `booking:${id}/${step}` as const;

/** The body of a request for a session with this tutor. */
export const order = (who: { tutor: string }, change: object = {}) => ({
  tutorId: who.tutor,
  subject: 'Maths',
  scheduledAt: inHours(72),
  durationMinutes: 60,
  paymentMethodId: 'pm_card_visa',
  ...change,
});

/** What a repeated reply must share with the first one. */
export const withoutRequestId = ({ body }: Reply) => ({ ...body, requestId: undefined });

/**
 * The booking service for one test file, started before its tests and stopped after them. No saga runs: `roles` says what is done in
 * its place, and is set back before every test.
 */
export function bookingServiceUnderTest() {
  let running: { service: TestService; http: ServiceClient } | undefined;
  const reached = () => {
    if (!running) throw new Error('the booking service runs from beforeAll to afterAll');
    return running;
  };
  const service: Pick<TestService, 'ask' | 'internal' | 'userToken' | 'database'> = {
    ask: (...request) => reached().service.ask(...request),
    internal: (...request) => reached().service.internal(...request),
    userToken: (user) => reached().service.userToken(user),
    get database() {
      return reached().service.database;
    },
  };
  const saga = createBookingClient({
    call: (operation, parts) => reached().http.call(operation, parts),
    close: () => reached().http.close(),
  });

  const started: { id: string; input: unknown }[] = [];
  const updates: Update[] = [];
  const played: Promise<unknown>[] = [];
  const silent = async (): Promise<unknown> => undefined;
  const roles: {
    /** What a saga does once it is started. */
    script: Script;
    /** As if Temporal did not answer: no saga is started. */
    failStart: boolean;
    /** What a saga does on an update; what it throws is the update's refusal. */
    answerUpdate: (update: Update) => Promise<unknown>;
  } = { script: silent, failStart: false, answerUpdate: silent };

  const sagas: Pick<Sagas, 'start' | 'update'> = {
    start: async (type, input) => {
      if (roles.failStart) throw new ProblemError('upstream_unavailable', undefined, { retryAfterSeconds: 2 });
      const id = type.workflowId(input).replace(/^booking:/, '');
      // As Temporal does: one saga per id, whoever starts it again.
      if (started.some((other) => other.id === id)) return;
      started.push({ id, input });
      played.push(roles.script(id));
    },
    update: async <Result, Argument>(
      workflowId: string,
      { name }: { name: string },
      argument: Argument,
      { updateId }: { updateId: string },
    ): Promise<Result> => {
      const update = { workflowId, name, argument, updateId };
      updates.push(update);
      // Every update of a booking returns nothing.
      return (await roles.answerUpdate(update)) as Result;
    },
  };

  const forgetStarted = () => {
    started.length = 0;
    played.length = 0;
  };

  beforeAll(async () => {
    const made = await startTestService(bookingService, { sagas });
    const http = createServiceClient(made.url, serviceTokens(made.config.SERVICE_TOKEN_SECRET));
    running = { service: made, http };
  });
  beforeEach(() => {
    forgetStarted();
    updates.length = 0;
    roles.script = confirmedAtOnce;
    roles.failStart = false;
    roles.answerUpdate = silent;
  });
  afterEach(async () => {
    await Promise.all(played);
  });
  afterAll(async () => {
    await running?.http.close();
    await running?.service.close();
  });

  const create = (id: string, change: { instantBooking?: boolean } = {}) =>
    saga.createPending(
      id,
      {
        student: person('sam'),
        tutor: person('ada'),
        subject: 'Maths',
        price: eur(4500),
        instantBooking: true,
        ...change,
      },
      key(id, 'create'),
    );
  const pay = (id: string, projection: PaymentProjection, awaitingUntil: string | null = null) =>
    saga.recordPayment(id, { payment: projection, awaitingUntil }, key(id, `payment-${projection.version}`));
  const undo = (
    id: string,
    reason: 'payment_declined' | 'payment_expired' | 'slot_unavailable' | 'declined' | 'platform_unavailable',
  ) =>
    saga.cancelPending(
      id,
      { reason, noteId: null, cancelledBy: reason === 'declined' ? 'tutor' : null },
      key(id, 'create/undo'),
    );

  async function confirmedAtOnce(id: string): Promise<void> {
    await create(id);
    await pay(id, payment());
    await saga.confirmPending(id, key(id, 'confirm'));
  }

  async function asksTutor(id: string): Promise<void> {
    await create(id, { instantBooking: false });
    await pay(id, payment({ status: 'authorized', captured: eur(0) }));
    await saga.awaitTutor(id, { respondBy: inHours(24) }, key(id, 'await-tutor'));
  }

  async function people(): Promise<People> {
    const [student, tutor] = [uuidv7(), uuidv7()];
    const studentToken = await service.userToken({ id: student, role: 'student' });
    return { student, tutor, studentToken, tutorToken: await service.userToken({ id: tutor, role: 'tutor' }) };
  }

  /** Books a session as the student; `change` is of the body, the rest of the request. */
  const book = (who: People, options: Ask & { change?: object } = {}): Promise<Reply> =>
    service.ask('POST', '/api/bookings', {
      token: who.studentToken,
      key: uuidv7(),
      body: order(who, options.change),
      ...options,
    });

  return {
    service,
    /** booking's client, with which a test plays the saga's steps. */
    saga,
    /** What the service starts and updates sagas by, for a second service of the same test. */
    sagas,
    roles,
    /** The sagas that were started during this test, in order. */
    started,
    /** The updates that were sent during this test, in order. */
    updates,
    /** As if no saga had been started, and without waiting for those that were. */
    forgetStarted,
    create,
    pay,
    undo,
    /** The script of an instant tutor whose money came. */
    confirmedAtOnce,
    /** The script of a tutor who must confirm, up to where the booking waits for that. */
    asksTutor,
    people,

    book,

    async unstarted(): Promise<Unstarted> {
      const who = await people();
      const options = { key: uuidv7() };
      roles.failStart = true;
      expect((await book(who, options)).status).toBe(503);
      roles.failStart = false;
      const [row] = await service.database.sql`select id from booking_requests where student_id = ${who.student}`;
      return { who, id: String(row?.id), post: () => book(who, options) };
    },

    /** A booking that got as far as `play` takes it, made without POST: it may lie in the past. */
    async given(play: Script, change: { scheduledAt?: string } = {}): Promise<People & { id: string }> {
      const who = await people();
      const id = uuidv7();
      await service.database
        .sql`insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes)
    values (${id}, ${who.student}, ${who.tutor}, 'Maths', ${change.scheduledAt ?? inHours(72)}, 60)`;
      await play(id);
      return { ...who, id };
    },

    /** The status of a booking once its script was played. Its request was not refused; on a slow machine it was answered before that. */
    async endOf({ studentToken: token }: People, reply: Reply | undefined): Promise<string> {
      expect([201, 202]).toContain(reply?.status);
      await Promise.all(played);
      return (await service.ask('GET', `/api/bookings/${reply?.body.id}`, { token })).body.status;
    },
  };
}
