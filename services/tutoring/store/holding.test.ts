import { randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import postgres from 'postgres';
import { sqlState, violatedConstraint } from '../../../db/client';
import { migrateDatabase } from '../../../db/migrate';
import { slots } from '../../../db/schema/tutoring';
import { DAY, MINUTE } from '../../../kernel/time';
import { uuidv7 } from '../../../platform/ids';
import { serverUrl } from '../../../tests/support/database';
import { startTestService, type TestService } from '../../../tests/support/service';
import { anHourAgo, base, codes, inAnHour, slotSteps, start } from '../../../tests/support/slots';
import { listedTutor } from '../../../tests/support/tutors';
import { tutoringService } from '../routes';

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

const { hold, release, slotsOf, eventsOf } = slotSteps(() => service);

describe('holding a slot', () => {
  test('keeps the interval until it expires and says so in an event', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    const expiresAt = inAnHour();
    const reply = await hold(tutor, { bookingId, expiresAt, minutes: 90 });
    expect(reply.status).toBe(200);
    expect(reply.body).toEqual({
      bookingId,
      tutorId: tutor.id,
      state: 'held',
      start: start(0),
      end: start(6),
      expiresAt,
    });
    expect((await eventsOf(tutor)).at(-1)).toBe('SlotHeld');
  });

  test('of 50 bookings racing for one slot exactly one wins, the others are told it is taken', async () => {
    const tutor = await listedTutor(service);
    const replies = await Promise.all(Array.from({ length: 50 }, () => hold(tutor)));
    expect(codes(replies)).toEqual([200, ...Array.from({ length: 49 }, () => 'slot_unavailable')]);
    expect(await slotsOf(tutor)).toHaveLength(1);
  });

  test('of 30 bookings racing for overlapping slots the winners do not overlap', async () => {
    const tutor = await listedTutor(service);
    const replies = await Promise.all(
      Array.from({ length: 30 }, (_, index) => hold(tutor, { at: start(index % 10), minutes: 60 })),
    );
    const won = replies.filter(({ status }) => status === 200).map(({ body }) => body);
    expect(codes(replies.filter(({ status }) => status !== 200))).toEqual(
      Array.from({ length: 30 - won.length }, () => 'slot_unavailable'),
    );
    expect(won.length).toBeGreaterThanOrEqual(2);
    const inOrder = won.toSorted((a, b) => a.start.localeCompare(b.start));
    for (const [index, slot] of inOrder.entries())
      if (index > 0) expect(inOrder[index - 1].end <= slot.start).toBe(true);
    expect(await slotsOf(tutor)).toHaveLength(won.length);
  });

  test('slots that touch do not meet, and tutors do not meet each other', async () => {
    const [one, other] = [await listedTutor(service), await listedTutor(service)];
    const replies = [await hold(one), await hold(one, { at: start(4) }), await hold(other)];
    expect(codes(replies)).toEqual([200, 200, 200]);
  });

  test('the same key gives the same reply and holds once', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    const expiresAt = inAnHour();
    const replies = await Promise.all(Array.from({ length: 5 }, () => hold(tutor, { bookingId, expiresAt })));
    const [first] = replies;
    expect(first).toMatchObject({ status: 200, body: { bookingId, state: 'held' } });
    for (const { status, body } of replies) expect({ status, body }).toEqual({ status: 200, body: first?.body });
    expect((await eventsOf(tutor)).filter((type) => type === 'SlotHeld')).toHaveLength(1);
    expect(codes([await hold(tutor, { bookingId, expiresAt, minutes: 30 })])).toEqual(['idempotency_key_reused']);
  });

  test('a booking has one slot at most', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    expect(codes([await hold(tutor, { bookingId, at: start(8), key: 'another-step' })])).toEqual(['invalid_state']);
    expect(codes([await hold(tutor, { bookingId, at: start(1), key: 'a-third-step' })])).toEqual(['invalid_state']);
  });

  test('an expired hold gives way, one that has not expired does not', async () => {
    const tutor = await listedTutor(service);
    await hold(tutor, { expiresAt: anHourAgo(), at: start(0) });
    await hold(tutor, { expiresAt: anHourAgo(), at: start(4) });
    await hold(tutor, { expiresAt: anHourAgo(), at: start(40) });
    expect((await hold(tutor, { at: start(2) })).status).toBe(200);
    expect(codes([await hold(tutor, { at: start(2) })])).toEqual(['slot_unavailable']);
    expect((await eventsOf(tutor)).filter((type) => type === 'SlotHoldExpired')).toHaveLength(2);
    expect(await slotsOf(tutor)).toHaveLength(2);
  });

  test('is refused outside the hours, in the past, and for a tutor there is not', async () => {
    const tutor = await listedTutor(service, { weekly: [], hourly: 4500 });
    expect(codes([await hold(tutor)])).toEqual(['slot_unavailable']);
    const always = await listedTutor(service);
    expect(codes([await hold(always, { at: new Date(base - 7 * DAY).toISOString() })])).toEqual(['slot_unavailable']);
    expect(codes([await hold({ ...always, id: uuidv7() })])).toEqual(['not_found']);
  });

  test.each([
    ['off the quarter hour', { at: new Date(base + MINUTE).toISOString() }, 'start'],
    ['too short', { minutes: 15 }, 'durationMinutes'],
    ['too long', { minutes: 255 }, 'durationMinutes'],
    ['off the steps of 15', { minutes: 50 }, 'durationMinutes'],
  ])('one %s is not valid', async (_, options, path) => {
    const reply = await hold({ id: uuidv7(), token: '' }, options);
    expect(reply.status).toBe(422);
    expect(reply.body.errors.map((error: { path: string }) => error.path)).toEqual([path]);
  });
});

describe('holding a slot without an end', () => {
  test('books it outright', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    const reply = await hold(tutor, { bookingId, expiresAt: null });
    expect(reply.body).toMatchObject({ state: 'booked', expiresAt: null, start: start(0) });
    expect((await hold(tutor, { bookingId, expiresAt: null })).body).toEqual(reply.body);
    expect(await slotsOf(tutor)).toMatchObject([{ bookingId, state: 'booked', expiresAt: null }]);
    expect((await eventsOf(tutor)).filter((type) => type.startsWith('Slot'))).toEqual(['SlotBooked']);
    expect(codes([await hold(tutor)])).toEqual(['slot_unavailable']);
  });

  test('is undone by its release, which refuses one that arrives late', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await release(bookingId);
    expect(codes([await hold(tutor, { bookingId, expiresAt: null })])).toEqual(['undone']);
    expect(await slotsOf(tutor)).toEqual([]);
  });

  test('takes the place of a hold that expired, and goes to one of two that race', async () => {
    const tutor = await listedTutor(service);
    await hold(tutor, { expiresAt: anHourAgo() });
    const race = await Promise.all([hold(tutor, { expiresAt: null }), hold(tutor, { expiresAt: null })]);
    expect(codes(race)).toEqual([200, 'slot_unavailable']);
  });
});

describe('the database itself', () => {
  test('refuses two slots of a tutor that overlap, whoever writes them', async () => {
    const tutor = await listedTutor(service);
    await hold(tutor);
    const during = sql`tstzrange(${start(1)}::timestamptz, ${start(2)}::timestamptz)`;
    const error = await service.database.db
      .insert(slots)
      .values({ bookingId: uuidv7(), tutorId: tutor.id, during, state: 'booked' })
      .then(
        () => undefined,
        (reason: unknown) => reason,
      );
    expect([sqlState(error), violatedConstraint(error)]).toEqual(['23P01', 'slots_never_overlap']);
  });

  test('that refuses a slot for another reason makes it a fault that says nothing, not a taken slot', async () => {
    const { sql: run } = service.database;
    const tutor = await listedTutor(service);
    await run`alter table slots add constraint no_more_for_now check (false) not valid`;
    const reply = await hold(tutor);
    await run`alter table slots drop constraint no_more_for_now`;
    expect([reply.status, reply.body.code]).toEqual([500, 'internal']);
    expect(JSON.stringify(reply.body)).not.toMatch(/no_more_for_now|slots_|insert/);
    expect((await hold(tutor)).status).toBe(200);
  });

  test('takes the migrations of a role that owns its database and is no superuser', async () => {
    const name = `tutoring_${randomBytes(6).toString('hex')}`;
    const admin = postgres(serverUrl(), { max: 1, onnotice: () => undefined });
    try {
      await admin.unsafe(`create role ${name} login password 'only-for-this-test'`);
      await admin.unsafe(`create database ${name} owner ${name}`);
      const url = new URL(serverUrl());
      url.pathname = `/${name}`;
      url.username = name;
      url.password = 'only-for-this-test';
      await migrateDatabase(url.toString(), 'tutoring');
      const own = postgres(url.toString(), { max: 1 });
      const [found] = await own`select conname from pg_constraint where conname = 'slots_never_overlap'`;
      await own.end();
      expect(found).toEqual({ conname: 'slots_never_overlap' });
    } finally {
      await admin.unsafe(`drop database if exists ${name} with (force)`);
      await admin.unsafe(`drop role if exists ${name}`);
      await admin.end();
    }
  });
});
