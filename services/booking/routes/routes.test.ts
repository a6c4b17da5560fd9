import { ProblemError } from '../../../kernel/errors';
import { serviceTokens } from '../../../platform/auth';
import { createServiceClient } from '../../../platform/http-client';
import { uuidv7 } from '../../../platform/ids';
import type { Sagas } from '../../../platform/temporal';
import { type Ask, type Reply, startTestService, type TestService } from '../../../tests/support/service';
import { type BookingClient, createBookingClient } from '../client';
import { bookingContract, InternalBooking, type PaymentProjection } from '../contract';
import { bookingService } from '.';
import { MOST_AT_ONCE } from './book-session';

// One test waits the ten seconds that a client waits at most.
jest.setTimeout(30_000);

const QUARTER = 15 * 60_000;
const HOUR = 4 * QUARTER;
const inHours = (hours: number) => new Date(Math.ceil((Date.now() + hours * HOUR) / QUARTER) * QUARTER).toISOString();
const eur = (amount: number) => ({ amount, currency: 'EUR' });

/** Plays the saga's part: what it does to a booking, through booking's client and real HTTP as the activities do. */
type Script = (id: string) => Promise<unknown>;
interface Update {
  workflowId: string;
  name: string;
  argument: unknown;
  updateId: string;
}

let service: TestService;
let saga: BookingClient;
let script: Script = async () => undefined;
let answerUpdate: (update: Update) => Promise<unknown> = async () => undefined;
let started: { id: string; input: unknown }[] = [];
let updates: Update[] = [];
let played: Promise<unknown>[] = [];

const sagas: Partial<Sagas> = {
  start: async (type, input) => {
    const id = type.workflowId(input).replace(/^booking:/, '');
    // As Temporal does: one saga per id, whoever starts it again.
    if (started.some((other) => other.id === id)) return;
    started.push({ id, input });
    played.push(script(id));
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
    return (await answerUpdate(update)) as Result;
  },
};

beforeAll(async () => {
  service = await startTestService(bookingService, { sagas });
  const http = createServiceClient(service.url, serviceTokens(service.config.SERVICE_TOKEN_SECRET));
  saga = createBookingClient(http);
  closeClient = () => http.close();
});
let closeClient = async (): Promise<void> => undefined;

beforeEach(() => {
  started = [];
  updates = [];
  played = [];
  script = confirmedAtOnce;
  answerUpdate = async () => undefined;
});
afterEach(async () => {
  await Promise.all(played);
});
afterAll(async () => {
  await closeClient();
  await service.close();
});

const person = (name: string) => ({ name, email: `${name}@example.org`, timeZone: 'Europe/Berlin', locale: 'en' });
const key = (id: string, step: string) => `booking:${id}/${step}`;
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
const payment = (change: Partial<PaymentProjection> = {}): PaymentProjection => ({
  id: uuidv7(),
  version: 1,
  status: 'captured',
  amount: eur(4500),
  captured: eur(4500),
  refunded: eur(0),
  clientSecret: null,
  ...change,
});
const pay = (id: string, projection: PaymentProjection, awaitingUntil: string | null = null) =>
  saga.recordPayment(id, { payment: projection, awaitingUntil }, key(id, `payment-${projection.version}`));
const undo = (id: string, reason: 'payment_declined' | 'payment_expired' | 'slot_unavailable' | 'declined') =>
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

interface People {
  student: string;
  tutor: string;
  studentToken: string;
  tutorToken: string;
}

async function people(): Promise<People> {
  const [student, tutor] = [uuidv7(), uuidv7()];
  const studentToken = await service.userToken({ id: student, role: 'student' });
  return { student, tutor, studentToken, tutorToken: await service.userToken({ id: tutor, role: 'tutor' }) };
}

const order = (who: { tutor: string }, change: object = {}) => ({
  tutorId: who.tutor,
  subject: 'Maths',
  scheduledAt: inHours(72),
  durationMinutes: 60,
  paymentMethodId: 'pm_card_visa',
  ...change,
});
const book = (who: People, options: Ask & { change?: object } = {}): Promise<Reply> =>
  service.ask('POST', '/api/bookings', {
    token: who.studentToken,
    key: uuidv7(),
    body: order(who, options.change),
    ...options,
  });

/** A booking that got as far as `play` takes it, made without POST: it may lie in the past. */
async function given(play: Script, change: { scheduledAt?: string } = {}): Promise<People & { id: string }> {
  const who = await people();
  const id = uuidv7();
  await service.database
    .sql`insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes)
    values (${id}, ${who.student}, ${who.tutor}, 'Maths', ${change.scheduledAt ?? inHours(72)}, 60)`;
  await play(id);
  return { ...who, id };
}

/** Of a request that was not refused: how the booking is once its script was played. On a slow machine the answer came before that. */
async function endOf({ studentToken: token }: People, reply: Reply | undefined): Promise<string> {
  expect([201, 202]).toContain(reply?.status);
  await Promise.all(played);
  return (await service.ask('GET', `/api/bookings/${reply?.body.id}`, { token })).body.status;
}

const withoutRequestId = ({ body }: Reply) => ({ ...body, requestId: undefined });

describe('booking a session', () => {
  test('an instant tutor: 201 with the confirmed booking and where it is', async () => {
    const who = await people();
    const pricingOptionId = uuidv7();
    const reply = await book(who, { change: { pricingOptionId } });
    expect(reply.status).toBe(201);
    const { id } = reply.body;
    expect(reply.headers.location).toBe(`/api/bookings/${id}`);
    expect(reply.body).toMatchObject({
      status: 'confirmed',
      statusReason: null,
      tutorId: who.tutor,
      studentId: who.student,
      tutorName: 'ada',
      studentName: 'sam',
      subject: 'Maths',
      durationMinutes: 60,
      price: eur(4500),
      payment: { status: 'captured', amount: eur(4500), captured: eur(4500), refunded: eur(0) },
      meetingUrl: null,
      workflowId: `booking:${id}`,
    });
    const read = await service.ask('GET', `/api/bookings/${id}`, { token: who.studentToken });
    expect(read.body).toEqual(reply.body);
    const { tutor, student } = who;
    const { scheduledAt } = reply.body;
    const ids = { bookingId: id, studentId: student, tutorId: tutor, pricingOptionId };
    const input = { ...ids, scheduledAt, durationMinutes: 60, paymentMethodId: 'pm_card_visa' };
    expect(started).toEqual([{ id, input }]);
    expect(await saga.getRequest(id)).toEqual({ ...ids, subject: 'Maths', scheduledAt, durationMinutes: 60 });
  });

  test('a tutor who must confirm: 201 with the booking that waits for them', async () => {
    script = asksTutor;
    const reply = await book(await people());
    expect(reply.status).toBe(201);
    expect(reply.body).toMatchObject({
      status: 'pending',
      statusReason: 'awaiting_tutor',
      payment: { status: 'authorized' },
    });
    expect(Date.parse(reply.body.waitingUntil)).toBeGreaterThan(Date.now());
  });

  test('3-D Secure: 202 with the client secret; the same key shows today’s state', async () => {
    const asked = payment({ status: 'requires_action', captured: eur(0), clientSecret: 'pi_1_secret_2' });
    script = async (id) => {
      await create(id);
      await pay(id, asked, inHours(1));
    };
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const reply = await book(who, options);
    expect(reply.status).toBe(202);
    const { id } = reply.body;
    expect(reply.headers.location).toBe(`/api/bookings/${id}`);
    expect(reply.body).toMatchObject({ statusReason: 'awaiting_payment', payment: { clientSecret: 'pi_1_secret_2' } });
    const [stored] = await service.database.sql`select reply_body from idempotency_keys where key = ${options.key}`;
    expect(JSON.stringify(stored)).not.toContain('secret');
    const seenByTutor = await service.ask('GET', `/api/bookings/${id}`, { token: who.tutorToken });
    expect(JSON.stringify(seenByTutor.body)).not.toContain('pi_1_secret_2');

    await pay(id, { ...asked, version: 2, status: 'captured', captured: eur(4500), clientSecret: null });
    await saga.confirmPending(id, key(id, 'confirm'));
    const again = await book(who, options);
    expect(again).toMatchObject({ status: 202, body: { id, status: 'confirmed', payment: { status: 'captured' } } });
    expect(again.headers.location).toBe(`/api/bookings/${id}`);
  });

  test.each([
    ['payment_declined', 402, 'payment_declined'],
    ['payment_expired', 409, 'payment_expired'],
    ['slot_unavailable', 409, 'slot_unavailable'],
    ['declined', 409, 'invalid_state'],
  ] as const)('undone as %s: %d %s with the booking’s id, and the same again', async (reason, status, code) => {
    script = async (id) => {
      await create(id);
      await pay(id, payment({ status: 'failed', captured: eur(0), declineCode: 'insufficient_funds' }));
      await undo(id, reason);
    };
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const reply = await book(who, options);
    expect(reply).toMatchObject({ status, body: { code, status, bookingId: started[0]?.id } });
    expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
    if (status === 402) expect(reply.body.declineCode).toBe('insufficient_funds');
    const again = await book(who, options);
    expect(withoutRequestId(again)).toEqual(withoutRequestId(reply));
    expect(started).toHaveLength(1);
  });

  test.each<[string, Parameters<BookingClient['refuseRequest']>[1], number]>([
    ['an unknown tutor', { code: 'not_found', detail: 'There is no such tutor' }, 404],
    [
      'a subject they do not teach',
      { code: 'validation_failed', detail: 'Not taught', errors: [{ path: 'subject', message: 'is not taught' }] },
      422,
    ],
    ['a time outside their hours', { code: 'slot_unavailable', detail: 'Outside the hours' }, 409],
  ])('%s: what the other context said', async (_, refusal, status) => {
    script = async (id) => {
      await saga.refuseRequest(id, refusal, key(id, 'create/refuse'));
      await undo(id, 'slot_unavailable');
    };
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const reply = await book(who, options);
    expect(reply).toMatchObject({ status, body: refusal });
    expect(reply.body.bookingId).toBe(status === 409 ? started[0]?.id : undefined);
    expect(withoutRequestId(await book(who, options))).toEqual(withoutRequestId(reply));
  });

  test('a platform that gave up: 503 that is not kept, and the same key gets a new booking', async () => {
    script = (id) =>
      saga.refuseRequest(id, { code: 'upstream_unavailable', detail: 'No answer' }, key(id, 'create/refuse'));
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const reply = await book(who, options);
    expect(reply).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
    expect(reply.headers['retry-after']).toBeDefined();
    script = confirmedAtOnce;
    const again = await book(who, options);
    expect(again.status).toBe(201);
    expect(started.map(({ id }) => id)).toEqual([expect.any(String), again.body.id]);
  });

  test('another live booking of the student at that time: 409 at once, without a saga', async () => {
    const who = await people();
    expect((await book(who, { change: { scheduledAt: inHours(72) } })).status).toBe(201);
    const options = { key: uuidv7(), change: { tutorId: uuidv7(), scheduledAt: inHours(72.5) } };
    const reply = await book(who, options);
    expect(reply).toMatchObject({ status: 409, body: { code: 'conflict' } });
    expect(withoutRequestId(await book(who, options))).toEqual(withoutRequestId(reply));
    expect(started).toHaveLength(1);
  });

  test.each([
    ['in the past', '2020-01-01T10:00:00Z'],
    ['more than 365 days ahead', new Date(Math.ceil((Date.now() + 366 * 24 * HOUR) / QUARTER) * QUARTER).toISOString()],
  ])('a time %s is no slot', async (_, scheduledAt) => {
    expect(await book(await people(), { change: { scheduledAt } })).toMatchObject({
      status: 409,
      body: { code: 'slot_unavailable' },
    });
    expect(started).toHaveLength(0);
  });

  test('a repeat after the session began still gets the first reply', async () => {
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(1) } };
    const first = await book(who, options);
    await service.database
      .sql`update bookings set starts_at = now() - interval '3 hours', ends_at = now() - interval '2 hours' where id = ${first.body.id}`;
    const again = await book(who, options);
    expect(again.status).toBe(201);
    expect(JSON.stringify(again.body)).toBe(JSON.stringify(first.body));
  });

  test.each([
    [{ durationMinutes: 15 }, 'durationMinutes'],
    [{ durationMinutes: 255 }, 'durationMinutes'],
    [{ durationMinutes: 50 }, 'durationMinutes'],
    [{ durationMinutes: 60.5 }, 'durationMinutes'],
    [{ scheduledAt: inHours(72).replace(/..\.000Z$/, '01.000Z') }, 'scheduledAt'],
    [{ scheduledAt: inHours(72).slice(0, -1) }, 'scheduledAt'],
    [{ scheduledAt: 'tomorrow' }, 'scheduledAt'],
    [{ scheduledAt: '0000-01-01T00:00:00Z' }, 'scheduledAt'],
    [{ scheduledAt: '9999-12-31T23:45:00Z' }, 'scheduledAt'],
    [{ scheduledAt: '9999-12-31T23:45:00-14:00' }, 'scheduledAt'],
    [{ tutorId: 'ada' }, 'tutorId'],
    [{ subject: ' ' }, 'subject'],
    [{ subject: 'x\u0000' }, 'subject'],
    [{ paymentMethodId: '4242 4242 4242 4242' }, 'paymentMethodId'],
    [{ price: eur(1) }, 'price'],
    [{ studentId: uuidv7() }, 'studentId'],
  ])('%j is not valid', async (change, path) => {
    const reply = await book(await people(), { change });
    expect(reply).toMatchObject({
      status: 422,
      body: { code: 'validation_failed', errors: expect.arrayContaining([expect.objectContaining({ path })]) },
    });
  });

  test('only students book, with a key and signed in', async () => {
    const who = await people();
    expect((await book(who, { token: who.tutorToken })).body.code).toBe('forbidden');
    expect((await book(who, { token: await service.userToken({ role: 'admin' }) })).body.code).toBe('forbidden');
    expect((await book(who, { token: '' })).body.code).toBe('unauthenticated');
    expect((await book(who, { key: '' })).body.code).toBe('idempotency_key_required');
  });

  test('a key belongs to one person and one body', async () => {
    const [one, other] = [await people(), await people()];
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    expect((await book(one, options)).status).toBe(201);
    const changed = await book(one, { key: options.key, change: { scheduledAt: inHours(90) } });
    expect(changed).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
    expect((await book(other, options)).status).toBe(201);
    expect(started).toHaveLength(2);
  });
});

describe('booking while things go wrong', () => {
  test('ten copies at once with one key make one booking and agree', async () => {
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const replies = await Promise.all(Array.from({ length: 10 }, () => book(who, options)));
    const made = replies.filter(({ status }) => status === 201);
    expect(made.length).toBeGreaterThan(0);
    for (const reply of made) expect(JSON.stringify(reply.body)).toBe(JSON.stringify(made[0]?.body));
    for (const reply of replies.filter(({ status }) => status !== 201)) {
      expect(reply).toMatchObject({ status: 409, body: { code: 'idempotency_in_progress' } });
    }
    expect(started).toHaveLength(1);
    const list = await service.ask('GET', '/api/bookings', { token: who.studentToken });
    expect(list.body.items).toHaveLength(1);
  });

  test('two requests of one student for one time: one booking, the other is refused', async () => {
    const who = await people();
    script = async (id) => {
      await create(id).catch((error: unknown) => {
        if (!(error instanceof ProblemError)) throw error;
        return saga.refuseRequest(id, { code: error.code, detail: error.detail }, key(id, 'create/refuse'));
      });
      if ((await saga.readForNotices(id).catch(() => undefined)) === undefined) return undo(id, 'slot_unavailable');
      return saga.confirmPending(id, key(id, 'confirm'));
    };
    const replies = await Promise.all([book(who), book(who, { change: { tutorId: uuidv7() } })]);
    expect(replies.map(({ status }) => status).sort()).toEqual([201, 409]);
    expect(replies.find(({ status }) => status === 409)?.body.code).toBe('conflict');
  });

  test('50 students at once are all booked', async () => {
    const who = await Promise.all(Array.from({ length: 50 }, people));
    const replies = await Promise.all(who.map((each) => book(each)));
    expect(await Promise.all(who.map((each, index) => endOf(each, replies[index])))).toEqual(
      who.map(() => 'confirmed'),
    );
    expect(new Set(replies.map(({ body }) => body.id)).size).toBe(50);
  });

  test('a crash between key and saga: the retry waits for the lease and attaches to the same booking', async () => {
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    // What a crash leaves behind: the key is leased, its request is stored, no saga was started, nobody was answered.
    script = () => new Promise(() => undefined);
    const lost = book(who, options).catch(() => undefined);
    while (started.length === 0) await service.database.sql`select 1`;
    const [{ id } = { id: '' }] = started;
    started = [];
    played = [];

    const early = await book(who, options);
    expect(early).toMatchObject({ status: 409, body: { code: 'idempotency_in_progress' } });
    expect(early.headers['retry-after']).toBeDefined();
    await service.database
      .sql`update idempotency_keys set leased_until = now() - interval '1 second' where key = ${options.key}`;
    script = confirmedAtOnce;
    const reply = await book(who, options);
    expect(reply).toMatchObject({ status: 201, body: { id } });
    expect(started.map((each) => each.id)).toEqual([id]);
    await lost;
  });

  test('Temporal down: 503 with Retry-After, and the same key attaches at once', async () => {
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const { start } = sagas;
    sagas.start = async () => {
      throw new ProblemError('upstream_unavailable', 'The saga engine is not answering', { retryAfterSeconds: 2 });
    };
    const broken = await startTestService(bookingService, { sagas });
    try {
      const token = await broken.userToken({ id: who.student, role: 'student' });
      const request = { token, key: options.key, body: order(who, options.change) };
      const reply = await broken.ask('POST', '/api/bookings', request);
      expect(reply).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
      expect(reply.headers['retry-after']).toBe('2');
      const stored = () => broken.database.sql`select id from booking_requests where student_id = ${who.student}`;
      const [before] = await stored();
      expect((await broken.ask('POST', '/api/bookings', request)).status).toBe(503);
      expect(await stored()).toEqual([before]);
      expect((await broken.ask('GET', '/api/bookings', { token })).status).toBe(200);
    } finally {
      await broken.close();
      if (start) sagas.start = start;
    }
  });

  test('a lost announcement is made up for by looking', async () => {
    const who = await people();
    script = async (id) => {
      await create(id);
      await service.database.sql`update bookings set status = 'confirmed' where id = ${id}`;
    };
    expect(await book(who)).toMatchObject({ status: 201, body: { status: 'confirmed' } });
  });

  test('after ten seconds: 202 with what there is, be it the request alone; a refusal though it is still being undone', async () => {
    const began = Date.now();
    const timed = async (play: Script) => {
      script = play;
      const before = started.length;
      const who = await people();
      const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
      const reply = book(who, options);
      while (started.length === before) await service.database.sql`select 1`;
      return { who, options, reply };
    };
    const slow = await timed((id) => create(id));
    const stuck = await timed(async () => undefined);
    const undoing = await timed(async (id) => {
      await create(id);
      await saga.refuseRequest(id, { code: 'slot_unavailable', detail: 'Taken' }, key(id, 'refuse'));
    });

    expect(await slow.reply).toMatchObject({ status: 202, body: { status: 'pending', payment: null } });
    expect(Date.now() - began).toBeGreaterThan(9_000);
    const id = started[1]?.id ?? '';
    const stored = await stuck.reply;
    expect([stored.status, stored.headers.location]).toEqual([202, `/api/bookings/${id}`]);
    expect(stored.body).toMatchObject({ id, status: 'pending', subject: 'Maths', price: null, refusal: null });
    expect(await undoing.reply).toMatchObject({
      status: 409,
      body: { code: 'slot_unavailable', bookingId: started[2]?.id },
    });

    await confirmedAtOnce(id);
    const again = await book(stuck.who, stuck.options);
    expect(again).toMatchObject({ status: 202, body: { id, status: 'confirmed', price: eur(4500) } });
    expect(started).toHaveLength(3);
  });

  test('more at once than can be answered in time are refused before anything is stored, and welcome again afterwards', async () => {
    let settle: () => void = () => undefined;
    const settling = new Promise<void>((resolve) => {
      settle = resolve;
    });
    script = async (id) => {
      await settling;
      await confirmedAtOnce(id);
    };
    const crowd = await Promise.all(Array.from({ length: MOST_AT_ONCE }, people));
    const replies = crowd.map((who) => book(who));
    while (started.length < MOST_AT_ONCE) await service.database.sql`select 1`;

    const late = await people();
    const options = { key: uuidv7() };
    const refused = await book(late, options);
    expect(refused).toMatchObject({ status: 503, body: { code: 'overloaded' } });
    expect(refused.headers['retry-after']).toBe('2');
    expect(await service.database.sql`select 1 from booking_requests where student_id = ${late.student}`).toHaveLength(
      0,
    );
    settle();
    expect(await Promise.all(crowd.map(async (who, index) => endOf(who, await replies[index])))).toEqual(
      crowd.map(() => 'confirmed'),
    );
    expect(await endOf(late, await book(late, options))).toBe('confirmed');
  });

  test('a service that stops answers those who wait', async () => {
    const stopping = await startTestService(bookingService, { sagas });
    const who = await people();
    script = async () => undefined;
    const token = await stopping.userToken({ id: who.student, role: 'student' });
    const waiting = stopping.ask('POST', '/api/bookings', { token, key: uuidv7(), body: order(who) });
    while (started.length === 0) await stopping.database.sql`select 1`;
    await stopping.close();
    expect(await waiting).toMatchObject({ status: 202, body: { status: 'pending', price: null } });
  });
});

describe('a booking that is still to be made', () => {
  const requested = () => given(async () => undefined);
  const at = (id: string, path = '') => `/api/bookings/${id}${path}`;

  test('is read by its parties as what was asked for, has no history and is in no list', async () => {
    const who = await requested();
    const wanted = {
      id: who.id,
      status: 'pending',
      tutorId: who.tutor,
      durationMinutes: 60,
      price: null,
      refusal: null,
    };
    for (const token of [who.studentToken, who.tutorToken, await service.userToken({ role: 'admin' })]) {
      expect(await service.ask('GET', at(who.id), { token })).toMatchObject({ status: 200, body: wanted });
    }
    const stranger = await people();
    expect((await service.ask('GET', at(who.id), { token: stranger.studentToken })).status).toBe(404);
    const token = who.studentToken;
    expect((await service.ask('GET', at(who.id, '/timeline'), { token })).body).toEqual({ items: [] });
    expect((await service.ask('GET', '/api/bookings', { token })).body.items).toEqual([]);
  });

  test('and is refused: says so where the client was sent to, in the words of the refusal', async () => {
    const who = await requested();
    await saga.refuseRequest(
      who.id,
      { code: 'not_found', detail: 'There is no such tutor' },
      key(who.id, 'create/refuse'),
    );
    const { body } = await service.ask('GET', at(who.id), { token: who.studentToken });
    expect(body).toMatchObject({
      ...{ status: 'cancelled', statusReason: null, price: null },
      refusal: { code: 'not_found', detail: 'There is no such tutor' },
    });
    const late = await service.ask('POST', at(who.id, '/cancel'), { token: who.studentToken, body: {} });
    expect(late.body.code).toBe('invalid_state');
    expect(updates).toEqual([]);
  });

  test('is cancelled like any other, and nothing else can be done to it', async () => {
    const who = await requested();
    const [token, tutor] = [who.studentToken, who.tutorToken];
    for (const action of ['/confirm', '/decline', '/complete']) {
      const reply = await service.ask('POST', at(who.id, action), { token: tutor, body: {} });
      expect(reply.body.code).toBe('invalid_state');
    }
    for (const [by, body] of [
      [token, { scheduledAt: inHours(100) }],
      [tutor, { scheduledAt: inHours(100) }],
      [tutor, { meetingUrl: 'https://meet.example/1' }],
    ] as const) {
      expect((await service.ask('PATCH', at(who.id), { token: by, body })).body.code).toBe('invalid_state');
    }
    expect(updates).toEqual([]);

    answerUpdate = async ({ argument }) => {
      const { noteId } = argument as { noteId: string };
      const cancel = { reason: 'cancelled_by_student', noteId, cancelledBy: 'student' } as const;
      await saga.cancelPending(who.id, cancel, key(who.id, 'create/undo'));
    };
    const options = { token, key: uuidv7(), body: { reason: 'Ill' } };
    const reply = await service.ask('POST', at(who.id, '/cancel'), options);
    expect(reply).toMatchObject({ status: 200, body: { status: 'cancelled', refusal: { code: 'invalid_state' } } });
    expect(await service.ask('POST', at(who.id, '/cancel'), options)).toMatchObject({ status: 200, body: reply.body });
    expect(updates).toHaveLength(1);
  });
});

describe('what people do to a booking', () => {
  const act = (who: { id: string }, action: string, token: string, options: Ask = {}) =>
    service.ask('POST', `/api/bookings/${who.id}/${action}`, { token, ...options });
  const lateReply = () => {
    throw new ProblemError('upstream_unavailable', 'Still being worked on', { retryAfterSeconds: 2 });
  };

  test('the tutor confirms: 200 with the confirmed booking, and one update of its saga', async () => {
    const who = await given(asksTutor);
    answerUpdate = () => saga.confirmPending(who.id, key(who.id, 'confirm'));
    const options = { key: uuidv7() };
    const reply = await act(who, 'confirm', who.tutorToken, options);
    expect(reply).toMatchObject({ status: 200, body: { id: who.id, status: 'confirmed' } });
    const again = await act(who, 'confirm', who.tutorToken, options);
    expect(JSON.stringify(again.body)).toBe(JSON.stringify(reply.body));
    expect(updates).toMatchObject([
      { workflowId: `booking:${who.id}`, name: 'confirm', argument: { actorId: who.tutor } },
    ]);
    expect((await act(who, 'confirm', who.tutorToken)).body.code).toBe('invalid_state');
  });

  test('the payment cannot be taken: 409, kept under the key', async () => {
    const who = await given(asksTutor);
    answerUpdate = async () => {
      throw new ProblemError('payment_failed');
    };
    const options = { key: uuidv7() };
    const reply = await act(who, 'confirm', who.tutorToken, options);
    expect(reply).toMatchObject({ status: 409, body: { code: 'payment_failed' } });
    const again = await act(who, 'confirm', who.tutorToken, options);
    expect(withoutRequestId(again)).toEqual(withoutRequestId(reply));
    expect(updates).toHaveLength(1);
  });

  test('the tutor declines with a reason, which the saga never sees and the student does', async () => {
    const who = await given(asksTutor);
    answerUpdate = async ({ argument }) => {
      const { noteId } = argument as { noteId: string };
      await saga.cancelPending(
        who.id,
        { reason: 'declined', noteId, cancelledBy: 'tutor' },
        key(who.id, 'create/undo'),
      );
    };
    const reply = await act(who, 'decline', who.tutorToken, { body: { reason: '  Fully booked  ' } });
    expect(reply).toMatchObject({ status: 200, body: { status: 'cancelled', statusReason: 'declined' } });
    expect(JSON.stringify(updates)).not.toContain('Fully');
    const seen = await service.ask('GET', `/api/bookings/${who.id}`, { token: who.studentToken });
    expect(seen.body).toMatchObject({ cancelReason: 'Fully booked', cancelledBy: 'tutor' });
  });

  test.each([
    ['student', 'cancelled_by_student'],
    ['tutor', 'cancelled_by_tutor'],
    ['operator', 'cancelled_by_operator'],
  ] as const)('a cancel by the %s carries who, when it arrived and the note’s id', async (by, statusReason) => {
    const who = await given(confirmedAtOnce, { scheduledAt: inHours(12) });
    const tokens = {
      student: who.studentToken,
      tutor: who.tutorToken,
      operator: await service.userToken({ role: 'admin' }),
    };
    const before = Date.now();
    answerUpdate = async ({ argument }) => {
      const { requestedAt, noteId } = argument as { requestedAt: string; noteId: string | null };
      expect(Date.parse(requestedAt)).toBeGreaterThanOrEqual(before);
      await saga.cancelConfirmed(who.id, { by, noteId, requestedAt }, key(who.id, 'cancel'));
    };
    const reply = await act(who, 'cancel', tokens[by], { body: { reason: 'Ill' } });
    expect(reply).toMatchObject({ status: 200, body: { status: 'cancelled', statusReason, cancelReason: 'Ill' } });
    expect(updates).toMatchObject([{ name: 'cancel', argument: { by } }]);
    expect((await act(who, 'cancel', tokens[by], { body: {} })).body.code).toBe('invalid_state');
  });

  test('a cancel that takes too long is 200 once the booking is cancelled', async () => {
    const who = await given(confirmedAtOnce);
    answerUpdate = async () => {
      const cancel = { by: 'student', noteId: null, requestedAt: new Date().toISOString() } as const;
      await saga.cancelConfirmed(who.id, cancel, key(who.id, 'cancel'));
      lateReply();
    };
    const reply = await act(who, 'cancel', who.studentToken, { body: {} });
    expect(reply).toMatchObject({ status: 200, body: { status: 'cancelled' } });
  });

  test('an update that takes too long frees the key; the retry is the same update with the first arrival', async () => {
    const who = await given(confirmedAtOnce);
    answerUpdate = async () => lateReply();
    const options = { key: uuidv7(), body: { reason: 'Ill' } };
    const reply = await act(who, 'cancel', who.studentToken, options);
    expect(reply).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
    expect(reply.headers['retry-after']).toBe('2');

    const arrived = (index: number) => {
      const { requestedAt } = (updates[index]?.argument ?? {}) as { requestedAt?: string };
      return Date.parse(requestedAt ?? '');
    };
    answerUpdate = async ({ argument }) => {
      const { noteId, requestedAt } = argument as { noteId: string; requestedAt: string };
      await saga.cancelConfirmed(who.id, { by: 'student', noteId, requestedAt }, key(who.id, 'cancel'));
    };
    await service.database
      .sql`update idempotency_keys set created_at = now() - interval '5 minutes' where key = ${options.key}`;
    expect(await act(who, 'cancel', who.studentToken, options)).toMatchObject({
      status: 200,
      body: { cancelReason: 'Ill' },
    });
    expect(updates).toHaveLength(2);
    expect(updates[1]?.updateId).toBe(updates[0]?.updateId);
    expect(arrived(1)).toBeLessThan(arrived(0) - 4 * 60_000);
  });

  test('a retry whose first attempt did happen is answered by it, not by today’s state', async () => {
    const who = await given(asksTutor);
    const options = { key: uuidv7() };
    answerUpdate = async () => lateReply();
    expect((await act(who, 'confirm', who.tutorToken, options)).status).toBe(503);
    await saga.confirmPending(who.id, key(who.id, 'confirm'));
    answerUpdate = async () => undefined;
    expect(await act(who, 'confirm', who.tutorToken, options)).toMatchObject({
      status: 200,
      body: { status: 'confirmed' },
    });
  });

  test('the same key on two actions makes two updates; without a key each try is its own', async () => {
    const who = await given(asksTutor);
    answerUpdate = async () => lateReply();
    await act(who, 'confirm', who.tutorToken, { key: 'k' });
    const reused = await act(who, 'decline', who.tutorToken, { key: 'k', body: {} });
    expect(reused.body.code).toBe('idempotency_key_reused');
    await act(who, 'decline', who.tutorToken, { key: 'k2', body: {} });
    await act(who, 'confirm', who.tutorToken);
    await act(who, 'confirm', who.tutorToken);
    expect(new Set(updates.map(({ updateId }) => updateId)).size).toBe(4);
  });

  test('a refusal that is certain stays the same under its key, whatever happens later', async () => {
    const who = await given(create);
    const options = { key: uuidv7() };
    const reply = await act(who, 'confirm', who.tutorToken, options);
    expect(reply).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
    await saga.awaitTutor(who.id, { respondBy: inHours(24) }, key(who.id, 'await-tutor'));
    expect(withoutRequestId(await act(who, 'confirm', who.tutorToken, options))).toEqual(withoutRequestId(reply));
    expect((await act(who, 'confirm', who.tutorToken)).status).toBe(200);
  });

  test('a session is completed by its tutor, and not before its end', async () => {
    const early = await given(confirmedAtOnce, { scheduledAt: inHours(-0.5) });
    expect((await act(early, 'complete', early.tutorToken)).body.code).toBe('invalid_state');
    expect(updates).toHaveLength(0);
    const over = await given(confirmedAtOnce, { scheduledAt: inHours(-3) });
    answerUpdate = () => saga.completeConfirmed(over.id, { by: 'tutor' }, key(over.id, 'complete'));
    const reply = await act(over, 'complete', over.tutorToken);
    expect(reply).toMatchObject({ status: 200, body: { status: 'completed', statusReason: 'completed_by_tutor' } });
    expect(updates).toMatchObject([{ name: 'complete', argument: { actorId: over.tutor } }]);
  });

  test('two copies of a command at once with one key: one update', async () => {
    const who = await given(asksTutor);
    answerUpdate = () => saga.confirmPending(who.id, key(who.id, 'confirm'));
    const options = { key: uuidv7() };
    const replies = await Promise.all(Array.from({ length: 5 }, () => act(who, 'confirm', who.tutorToken, options)));
    for (const { status, body } of replies)
      expect(status === 200 || body.code === 'idempotency_in_progress').toBe(true);
    expect(updates).toHaveLength(1);
  });

  test('an unexpected error is not kept', async () => {
    const who = await given(asksTutor);
    const options = { key: uuidv7() };
    answerUpdate = async () => {
      throw new TypeError('a bug');
    };
    expect((await act(who, 'confirm', who.tutorToken, options)).body.code).toBe('internal');
    answerUpdate = () => saga.confirmPending(who.id, key(who.id, 'confirm'));
    expect((await act(who, 'confirm', who.tutorToken, options)).status).toBe(200);
  });

  test('an administrator answers a saga that needs attention; the explanation stays here', async () => {
    const who = await given(create);
    const token = await service.userToken({ role: 'admin' });
    const options = { key: uuidv7(), body: { action: 'accept', note: 'Refunded by bank transfer' } };
    expect((await act(who, 'resolve', token, options)).status).toBe(204);
    expect((await act(who, 'resolve', token, options)).status).toBe(204);
    expect(updates).toMatchObject([{ name: 'resolve', argument: { action: 'accept', noteId: expect.any(String) } }]);
    const notes = await service.database.sql`select kind, text from booking_notes where booking_id = ${who.id}`;
    expect(notes).toEqual([{ kind: 'resolve', text: 'Refunded by bank transfer' }]);
    for (const other of [who.studentToken, who.tutorToken]) {
      expect((await act(who, 'resolve', other, options)).body.code).toBe('forbidden');
    }
    expect((await act({ id: uuidv7() }, 'resolve', token, { body: options.body })).status).toBe(404);
    expect((await act(who, 'resolve', token, { body: { action: 'retry' } })).status).toBe(422);
  });
});

describe('changing a booking', () => {
  const change = (who: { id: string }, token: string, body: object, options: Ask = {}) =>
    service.ask('PATCH', `/api/bookings/${who.id}`, { token, body, ...options });

  test.each(['student', 'tutor'] as const)('the %s moves it', async (by) => {
    const who = await given(confirmedAtOnce);
    const scheduledAt = inHours(100);
    answerUpdate = () => saga.moveConfirmed(who.id, { scheduledAt, by }, key(who.id, 'reschedule-1/booking'));
    const token = by === 'student' ? who.studentToken : who.tutorToken;
    expect(await change(who, token, { scheduledAt })).toMatchObject({ status: 200, body: { scheduledAt } });
    const actorId = by === 'student' ? who.student : who.tutor;
    expect(updates).toMatchObject([{ name: 'reschedule', argument: { by, actorId, scheduledAt } }]);
  });

  test('to the time it has is done already', async () => {
    const who = await given(confirmedAtOnce);
    const { body } = await service.ask('GET', `/api/bookings/${who.id}`, { token: who.tutorToken });
    expect((await change(who, who.tutorToken, { scheduledAt: body.scheduledAt })).status).toBe(200);
    expect(updates).toHaveLength(0);
  });

  test('a student less than 24 hours ahead does not, a tutor does', async () => {
    const who = await given(confirmedAtOnce, { scheduledAt: inHours(12) });
    expect((await change(who, who.studentToken, { scheduledAt: inHours(100) })).body.code).toBe('invalid_state');
    expect((await change(who, who.tutorToken, { scheduledAt: inHours(100) })).status).toBe(200);
  });

  test('a slot that is taken: 409, and the link of the same request is not set', async () => {
    const who = await given(confirmedAtOnce);
    answerUpdate = async () => {
      throw new ProblemError('slot_unavailable');
    };
    const body = { scheduledAt: inHours(100), meetingUrl: 'https://meet.example/1' };
    expect((await change(who, who.tutorToken, body)).body.code).toBe('slot_unavailable');
    const read = await service.ask('GET', `/api/bookings/${who.id}`, { token: who.tutorToken });
    expect(read.body.meetingUrl).toBeNull();
  });

  test('a move that takes too long is 200 once it happened, and sets the link with it', async () => {
    const who = await given(confirmedAtOnce);
    const scheduledAt = inHours(100);
    answerUpdate = async () => {
      await saga.moveConfirmed(who.id, { scheduledAt }, key(who.id, 'reschedule-1/booking'));
      throw new ProblemError('upstream_unavailable', 'Late', { retryAfterSeconds: 2 });
    };
    const reply = await change(who, who.tutorToken, { scheduledAt, meetingUrl: 'https://meet.example/1' });
    expect(reply).toMatchObject({ status: 200, body: { scheduledAt, meetingUrl: 'https://meet.example/1' } });
  });

  test('the tutor sets and clears the meeting link without any saga; the student does not', async () => {
    const who = await given(confirmedAtOnce);
    const meetingUrl = 'https://meet.example/room?x=1';
    const options = { key: uuidv7() };
    const reply = await change(who, who.tutorToken, { meetingUrl }, options);
    expect(reply).toMatchObject({ status: 200, body: { meetingUrl } });
    const again = await change(who, who.tutorToken, { meetingUrl }, options);
    expect(JSON.stringify(again.body)).toBe(JSON.stringify(reply.body));
    expect((await change(who, who.studentToken, { meetingUrl })).body.code).toBe('forbidden');
    expect((await change(who, who.tutorToken, { meetingUrl: null })).body.meetingUrl).toBeNull();
    expect(updates).toHaveLength(0);
  });

  test.each([
    [{}, ''],
    [{ meetingUrl: 'http://meet.example/1' }, 'meetingUrl'],
    [{ meetingUrl: 'https://user:pass@meet.example/1' }, 'meetingUrl'],
    [{ meetingUrl: 'javascript:alert(1)' }, 'meetingUrl'],
    [{ meetingUrl: 'https://meet.example/"><script>' }, 'meetingUrl'],
    [{ meetingUrl: 'https://meet.example/a\nb' }, 'meetingUrl'],
    [{ meetingUrl: 'meet' }, 'meetingUrl'],
    [{ scheduledAt: '2030-01-01T10:07:00Z' }, 'scheduledAt'],
    [{ status: 'confirmed' }, 'status'],
  ])('%j is not valid', async (body, path) => {
    const who = await given(confirmedAtOnce);
    expect(await change(who, who.tutorToken, body)).toMatchObject({
      status: 422,
      body: { errors: expect.arrayContaining([expect.objectContaining({ path })]) },
    });
  });
});

describe('reading', () => {
  test('a list is of the person’s own bookings, as student or as tutor', async () => {
    const who = await given(confirmedAtOnce);
    await given(confirmedAtOnce);
    const list = async (token: string, query = '') =>
      (await service.ask('GET', `/api/bookings${query}`, { token })).body.items.map(({ id }: { id: string }) => id);
    expect(await list(who.studentToken)).toEqual([who.id]);
    expect(await list(who.studentToken, '?role=student&status=confirmed')).toEqual([who.id]);
    expect(await list(who.studentToken, '?role=tutor')).toEqual([]);
    expect(await list(who.tutorToken)).toEqual([who.id]);
    expect(await list(who.tutorToken, '?status=cancelled')).toEqual([]);
    const admin = await service.userToken({ role: 'admin' });
    expect((await list(admin, '?limit=100')).length).toBeGreaterThan(1);
    expect(await list(admin, '?role=student')).toEqual([]);
  });

  test('pages follow each other by the cursor', async () => {
    const who = await people();
    for (const hours of [30, 40, 50]) {
      expect((await book(who, { change: { scheduledAt: inHours(hours) } })).status).toBe(201);
    }
    const page = async (query: string) =>
      (await service.ask('GET', `/api/bookings?limit=2${query}`, { token: who.studentToken })).body;
    const first = await page('');
    const second = await page(`&cursor=${first.nextCursor}`);
    const times = [...first.items, ...second.items].map(({ scheduledAt }) => scheduledAt);
    expect(times).toEqual([inHours(50), inHours(40), inHours(30)]);
    expect(second.nextCursor).toBeNull();
  });

  test.each([
    'role=admin',
    'status=open',
    'from=today',
    'limit=101',
    'limit=0',
    'cursor=x',
    'sort=price',
    'page=2',
    'status=pending&status=confirmed',
  ])('a list by ?%s is not valid', async (query) => {
    const token = await service.userToken({ role: 'student' });
    expect((await service.ask('GET', `/api/bookings?${query}`, { token })).status).toBe(422);
  });

  test('the timeline tells both parties what happened, in order and without names', async () => {
    const who = await given(confirmedAtOnce);
    const cancel = { by: 'tutor', noteId: null, requestedAt: new Date().toISOString() } as const;
    await saga.cancelConfirmed(who.id, cancel, key(who.id, 'cancel'));
    const { payment: paid } = await saga.readForNotices(who.id);
    if (!paid) throw new Error('it was paid');
    const refunded = payment({ id: paid.id, version: 2, status: 'refunded', refunded: eur(4500) });
    await saga.recordRefund(who.id, { payment: refunded }, key(who.id, 'refunded'));
    for (const token of [who.studentToken, who.tutorToken, await service.userToken({ role: 'admin' })]) {
      const { body } = await service.ask('GET', `/api/bookings/${who.id}/timeline`, { token });
      expect(body.items.map(({ type, actor }: { type: string; actor: string }) => [type, actor])).toEqual([
        ['BookingRequested', 'student'],
        ['PaymentProcessed', 'system'],
        ['BookingConfirmed', 'system'],
        ['BookingCancelled', 'tutor'],
        ['PaymentProcessed', 'system'],
        ['RefundIssued', 'system'],
      ]);
      const text = JSON.stringify(body);
      for (const secret of ['example.org', 'ada', 'sam']) expect(text).not.toContain(`"${secret}`);
      expect(bookingContract.bookingTimeline.replies[200].parse(body)).toEqual(body);
    }
    const read = await service.ask('GET', `/api/bookings/${who.id}`, { token: who.studentToken });
    expect(read.body.status).toBe('refunded');
  });

  test('what is not one’s own does not exist, and a wrong role is told so', async () => {
    const who = await given(asksTutor);
    const before = await saga.readForNotices(who.id);
    const other = await people();
    const scheduledAt = inHours(100);
    const operations: [string, string, object | undefined][] = [
      ['GET', '', undefined],
      ['GET', '/timeline', undefined],
      ['PATCH', '', { scheduledAt }],
      ['PATCH', '', { meetingUrl: 'https://meet.example/1' }],
      ['POST', '/confirm', undefined],
      ['POST', '/decline', {}],
      ['POST', '/cancel', {}],
      ['POST', '/complete', undefined],
    ];
    const tutorsOnly = ['/confirm', '/decline', '/complete'];
    for (const [method, path, body] of operations) {
      for (const id of [who.id, uuidv7(), 'nonsense', '1']) {
        const ask = (token: string) =>
          service.ask(method, `/api/bookings/${id}${path}`, { token, ...(body && { body }) });
        expect((await ask(other.tutorToken)).body.code).toBe('not_found');
        const student = tutorsOnly.includes(path) ? 'forbidden' : 'not_found';
        expect((await ask(other.studentToken)).body.code).toBe(student);
      }
    }
    for (const path of tutorsOnly) {
      const reply = await service.ask('POST', `/api/bookings/${who.id}${path}`, { token: who.studentToken, body: {} });
      expect(reply.body.code).toBe('forbidden');
    }
    // A tutor who was promoted from student: the role allows it, the side does not.
    const token = await service.userToken({ id: who.student, role: 'tutor' });
    expect((await service.ask('POST', `/api/bookings/${who.id}/confirm`, { token })).body.code).toBe('forbidden');
    expect(updates).toHaveLength(0);
    expect(await saga.readForNotices(who.id)).toEqual(before);
  });
});

test('an id in capitals is the same booking, in the path and in the saga’s name', async () => {
  script = asksTutor;
  const who = await people();
  const { body } = await book(who, { change: { tutorId: who.tutor.toUpperCase() } });
  expect(started[0]?.input).toMatchObject({ tutorId: who.tutor });
  const path = `/api/bookings/${body.id.toUpperCase()}`;
  answerUpdate = () => saga.confirmPending(body.id, key(body.id, 'confirm'));
  expect((await service.ask('POST', `${path}/confirm`, { token: who.tutorToken })).body.status).toBe('confirmed');
  expect(updates).toMatchObject([{ workflowId: `booking:${body.id}` }]);
  const timeline = await service.ask('GET', `${path}/timeline`, { token: who.tutorToken });
  expect(timeline.body.items).not.toHaveLength(0);
});

describe('the saga’s door', () => {
  test('opens to a service token only', async () => {
    const who = await given(create);
    for (const token of [who.tutorToken, await service.userToken({ role: 'admin' }), '']) {
      const reply = await service.ask('GET', `/internal/bookings/${who.id}`, { token });
      expect(reply.body.code).toBe('unauthenticated');
    }
    const { scheduledAt } = await saga.readForNotices(who.id);
    const reply = await service.internal('POST', `/internal/bookings/${who.id}/reschedule`, { body: { scheduledAt } });
    expect(reply.body.code).toBe('idempotency_key_required');
  });

  test('tells what mails need, and no secret of the payment', async () => {
    const who = await given(async (id) => {
      await create(id);
      await pay(id, payment({ status: 'requires_action', captured: eur(0), clientSecret: 'pi_secret' }), inHours(1));
    });
    const booking = await saga.readForNotices(who.id);
    expect(booking).toMatchObject({
      studentEmail: 'sam@example.org',
      tutorEmail: 'ada@example.org',
      tutorTimeZone: 'Europe/Berlin',
    });
    expect(JSON.stringify(booking)).not.toContain('pi_secret');
    expect(InternalBooking.parse(booking)).toEqual(booking);
    await expect(saga.readForNotices(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
    await expect(saga.getRequest(uuidv7())).rejects.toMatchObject({ code: 'not_found' });
  });

  test('a step repeated under its key has its first answer; its key with other parameters is refused', async () => {
    const who = await given(confirmedAtOnce);
    const cancel = { by: 'student', noteId: null, requestedAt: new Date().toISOString() } as const;
    const first = await saga.cancelConfirmed(who.id, cancel, key(who.id, 'cancel'));
    expect(await saga.cancelConfirmed(who.id, cancel, key(who.id, 'cancel'))).toEqual(first);
    await expect(saga.cancelConfirmed(who.id, { ...cancel, by: 'tutor' }, key(who.id, 'cancel'))).rejects.toMatchObject(
      { code: 'idempotency_key_reused' },
    );
  });

  test('amounts that contradict each other are refused', async () => {
    const who = await given(create);
    await expect(pay(who.id, payment({ refunded: eur(4501) }))).rejects.toMatchObject({ code: 'validation_failed' });
    await expect(pay(who.id, payment({ captured: { amount: 4500, currency: 'USD' } }))).rejects.toMatchObject({
      code: 'validation_failed',
    });
  });

  test('news of a payment repeated without its deadline are no other news', async () => {
    const who = await given(create);
    const asked = payment({ status: 'requires_action', captured: eur(0), clientSecret: 'pi_secret' });
    const until = inHours(1);
    await pay(who.id, asked, until);
    await pay(who.id, asked);
    expect((await saga.readForNotices(who.id)).waitingUntil).toBe(until);
  });

  test('an undo needs a key that says so', async () => {
    const who = await given(create);
    const cancel = { reason: 'declined', noteId: null, cancelledBy: null } as const;
    await expect(saga.cancelPending(who.id, cancel, key(who.id, 'create'))).rejects.toMatchObject({
      code: 'validation_failed',
    });
    await expect(saga.cancelPending(who.id, cancel, key(who.id, 'other'))).rejects.toMatchObject({
      code: 'validation_failed',
    });
  });
});

test('every reply is what the contract and its document say', async () => {
  const { body } = await service.ask('GET', '/openapi.json');
  expect(Object.keys(body.paths).every((path) => path.startsWith('/api/'))).toBe(true);
  expect(Object.keys(body.components.schemas)).toEqual(
    expect.arrayContaining(['Booking', 'BookingPage', 'NewBooking']),
  );
  const reply = await book(await people());
  expect(bookingContract.bookSession.replies[201].parse(reply.body)).toEqual(reply.body);
});
