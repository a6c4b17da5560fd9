import { ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import { bookingServiceUnderTest, key, order, type Script } from '../../../tests/support/booking-service';
import { eur, inHours } from '../../../tests/support/bookings';
import { startTestService } from '../../../tests/support/service';
import { bookingService } from '.';
import { MOST_AT_ONCE } from './book-session';

// One test waits the ten seconds that a client waits at most.
jest.setTimeout(30_000);

const { service, saga, sagas, roles, started, forgetStarted, create, undo, confirmedAtOnce, people, book, endOf } =
  bookingServiceUnderTest();

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
    roles.script = async (id) => {
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
    roles.script = () => new Promise(() => undefined);
    const lost = book(who, options).catch(() => undefined);
    while (started.length === 0) await service.database.sql`select 1`;
    const [{ id } = { id: '' }] = started;
    forgetStarted();

    const early = await book(who, options);
    expect(early).toMatchObject({ status: 409, body: { code: 'idempotency_in_progress' } });
    expect(early.headers['retry-after']).toBeDefined();
    await service.database
      .sql`update idempotency_keys set leased_until = now() - interval '1 second' where key = ${options.key}`;
    roles.script = confirmedAtOnce;
    const reply = await book(who, options);
    expect(reply).toMatchObject({ status: 201, body: { id } });
    expect(started.map((each) => each.id)).toEqual([id]);
    await lost;
  });

  test('Temporal down: 503 with Retry-After, and the same key attaches at once', async () => {
    const who = await people();
    const options = { key: uuidv7(), change: { scheduledAt: inHours(72) } };
    const start = async () => {
      throw new ProblemError('upstream_unavailable', 'The saga engine is not answering', { retryAfterSeconds: 2 });
    };
    const broken = await startTestService(bookingService, { sagas: { ...sagas, start } });
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
    }
  });

  test('a lost announcement is made up for by looking', async () => {
    const who = await people();
    roles.script = async (id) => {
      await create(id);
      await service.database.sql`update bookings set status = 'confirmed' where id = ${id}`;
    };
    expect(await book(who)).toMatchObject({ status: 201, body: { status: 'confirmed' } });
  });

  test('after ten seconds: 202 with what there is, be it the request alone; a refusal though it is still being undone', async () => {
    const began = Date.now();
    const timed = async (play: Script) => {
      roles.script = play;
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
    roles.script = async (id) => {
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
    roles.script = async () => undefined;
    const token = await stopping.userToken({ id: who.student, role: 'student' });
    const waiting = stopping.ask('POST', '/api/bookings', { token, key: uuidv7(), body: order(who) });
    while (started.length === 0) await stopping.database.sql`select 1`;
    await stopping.close();
    expect(await waiting).toMatchObject({ status: 202, body: { status: 'pending', price: null } });
  });
});
