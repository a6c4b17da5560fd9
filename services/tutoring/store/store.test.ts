import { randomBytes } from 'node:crypto';
import { eq, sql } from 'drizzle-orm';
import postgres from 'postgres';
import { sqlState, violatedConstraint } from '../../../db/client';
import { migrateContext } from '../../../db/migrate';
import { events, slots, tutorProfiles } from '../../../db/schema/tutoring';
import { DAY, HOUR, MINUTE } from '../../../kernel/time';
import { uuidv7 } from '../../../platform/ids';
import { serverUrl } from '../../../tests/support/database';
import { type Reply, startTestService, type TestService } from '../../../tests/support/service';
import { ALWAYS, listedTutor, newTutor, type TestTutor } from '../../../tests/support/tutors';
import { tutoringService } from '../routes';

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

/** A quarter hour, `quarters` after one about three days from now. */
const base = Math.ceil((Date.now() + 3 * DAY) / HOUR) * HOUR;
const start = (quarters: number) => new Date(base + quarters * 15 * MINUTE).toISOString();
const inAnHour = () => new Date(Date.now() + HOUR).toISOString();
const anHourAgo = () => new Date(Date.now() - HOUR).toISOString();

const workflow = (bookingId: string) => `booking:${bookingId}`;
const holdKey = (bookingId: string) => `${workflow(bookingId)}/hold-slot`;

interface Hold {
  bookingId?: string;
  at?: string;
  minutes?: number;
  expiresAt?: string | null;
  key?: string;
}

function hold(tutor: TestTutor, options: Hold = {}): Promise<Reply> {
  const { bookingId = uuidv7(), at = start(0), minutes = 60, expiresAt = inAnHour() } = options;
  return service.internal('POST', `/internal/slots/${bookingId}/hold`, {
    key: options.key ?? holdKey(bookingId),
    body: { tutorId: tutor.id, start: at, durationMinutes: minutes, expiresAt },
  });
}

/** A later step of the saga of `bookingId`; a number makes the key of a second one. */
function step(bookingId: string, name: 'extend' | 'block' | 'move', body?: unknown, attempt = 1): Promise<Reply> {
  const key = `${workflow(bookingId)}/${name}-slot-${attempt}`;
  return service.internal('POST', `/internal/slots/${bookingId}/${name}`, { key, body });
}

function release(bookingId: string): Promise<Reply> {
  const key = `${holdKey(bookingId)}/undo`;
  return service.internal('POST', `/internal/slots/${bookingId}/release`, { key });
}

const slotsOf = (tutor: TestTutor) => service.database.db.select().from(slots).where(eq(slots.tutorId, tutor.id));
async function eventsOf(tutor: TestTutor): Promise<string[]> {
  const rows = await service.database.db
    .select({ type: events.type })
    .from(events)
    .where(eq(events.streamId, tutor.id))
    .orderBy(events.version);
  return rows.map(({ type }) => type);
}
const codes = (replies: Reply[]) => replies.map(({ status, body }) => (status < 300 ? status : body.code)).toSorted();

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

describe('blocking a slot', () => {
  test('makes it booked for good', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    const reply = await step(bookingId, 'block');
    expect(reply.body).toMatchObject({ state: 'booked', expiresAt: null, start: start(0) });
    expect((await step(bookingId, 'block', undefined, 2)).body).toEqual(reply.body);
    expect((await eventsOf(tutor)).filter((type) => type === 'SlotBooked')).toHaveLength(1);
    expect(codes([await hold(tutor)])).toEqual(['slot_unavailable']);
  });

  test('accepts a hold that expired and that nobody took', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId, expiresAt: anHourAgo() });
    expect((await step(bookingId, 'block')).body.state).toBe('booked');
  });

  test('is refused when somebody took the expired hold, and when there never was one', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId, expiresAt: anHourAgo() });
    await hold(tutor, { at: start(2) });
    expect(codes([await step(bookingId, 'block'), await step(uuidv7(), 'block')])).toEqual([
      'slot_unavailable',
      'slot_unavailable',
    ]);
  });

  test('an expired hold goes either to its own block or to a new hold that races it, never to both', async () => {
    const tutor = await listedTutor(service);
    for (let round = 0; round < 12; round++) {
      const bookingId = uuidv7();
      const at = start(100 + round * 8);
      await hold(tutor, { bookingId, at, expiresAt: anHourAgo() });
      // Whoever is sent first is likelier to win: take turns, so that both outcomes are seen.
      const race = [() => step(bookingId, 'block'), () => hold(tutor, { at })];
      const replies = await Promise.all((round % 2 ? race : race.toReversed()).map((send) => send()));
      expect(codes(replies)).toEqual([200, 'slot_unavailable']);
      expect(await slotsOf(tutor)).toHaveLength(round + 1);
    }
  });
});

describe('extending a hold', () => {
  test('lets it expire later, also one that has expired', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId, expiresAt: anHourAgo() });
    const expiresAt = inAnHour();
    expect((await step(bookingId, 'extend', { expiresAt })).body).toMatchObject({ state: 'held', expiresAt });
    expect(codes([await hold(tutor)])).toEqual(['slot_unavailable']);
    expect((await eventsOf(tutor)).at(-1)).toBe('SlotHoldExtended');
  });

  test('leaves a booked slot booked, and is refused when there is no slot', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    await step(bookingId, 'block');
    expect((await step(bookingId, 'extend', { expiresAt: inAnHour() })).body).toMatchObject({
      state: 'booked',
      expiresAt: null,
    });
    expect(codes([await step(uuidv7(), 'extend', { expiresAt: inAnHour() })])).toEqual(['slot_unavailable']);
  });
});

describe('releasing a slot', () => {
  test.each(['held', 'booked'])('frees a %s one, once and again', async (state) => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    if (state === 'booked') await step(bookingId, 'block');
    expect(codes(await Promise.all([release(bookingId), release(bookingId)]))).toEqual([204, 204]);
    expect(await slotsOf(tutor)).toEqual([]);
    expect((await eventsOf(tutor)).filter((type) => type === 'SlotReleased')).toHaveLength(1);
    expect((await hold(tutor)).status).toBe(200);
  });

  test('is harmless when nothing was held, and refuses the hold that arrives after it', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    expect((await release(bookingId)).status).toBe(204);
    const late = await hold(tutor, { bookingId });
    expect([late.status, late.body.code]).toEqual([409, 'undone']);
    expect(await slotsOf(tutor)).toEqual([]);
  });

  test('racing its hold leaves nothing held', async () => {
    const tutor = await listedTutor(service);
    for (let round = 0; round < 10; round++) {
      const bookingId = uuidv7();
      const [held, released] = await Promise.all([hold(tutor, { bookingId }), release(bookingId)]);
      expect(released?.status).toBe(204);
      expect([200, 'undone']).toContain(held.status === 200 ? 200 : held.body.code);
      expect(await slotsOf(tutor)).toEqual([]);
    }
  });

  test('takes only a key that ends with /undo', async () => {
    const bookingId = uuidv7();
    const reply = await service.internal('POST', `/internal/slots/${bookingId}/release`, { key: 'release' });
    expect(reply.status).toBe(422);
  });
});

describe('moving a slot', () => {
  test('keeps its length and state, and may overlap its own old time', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId, minutes: 90 });
    await step(bookingId, 'block');
    const reply = await step(bookingId, 'move', { start: start(2) });
    expect(reply.body).toMatchObject({ state: 'booked', start: start(2), end: start(8) });
    expect(await slotsOf(tutor)).toHaveLength(1);
    expect((await eventsOf(tutor)).at(-1)).toBe('SlotMoved');
    expect((await hold(tutor, { minutes: 30 })).status).toBe(200);
  });

  test('to a taken time, outside the hours or without a slot is refused, and the old time stays', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    await hold(tutor, { at: start(8) });
    const refused = [
      await step(bookingId, 'move', { start: start(7) }, 1),
      await step(bookingId, 'move', { start: new Date(base - 7 * DAY).toISOString() }, 2),
      await step(bookingId, 'move', { start: new Date(base + 400 * DAY).toISOString() }, 3),
      await step(uuidv7(), 'move', { start: start(20) }),
    ];
    expect(codes(refused)).toEqual(Array.from({ length: 4 }, () => 'slot_unavailable'));
    expect(codes([await hold(tutor)])).toEqual(['slot_unavailable']);
  });

  test('takes over an expired hold in its way', async () => {
    const tutor = await listedTutor(service);
    const bookingId = uuidv7();
    await hold(tutor, { bookingId });
    await hold(tutor, { at: start(8), expiresAt: anHourAgo() });
    expect((await step(bookingId, 'move', { start: start(8) })).status).toBe(200);
  });

  test('racing a new hold for the same time, one of both has it', async () => {
    const tutor = await listedTutor(service);
    for (let round = 0; round < 10; round++) {
      const bookingId = uuidv7();
      const [from, to] = [start(200 + round * 16), start(208 + round * 16)];
      await hold(tutor, { bookingId, at: from });
      const replies = await Promise.all([step(bookingId, 'move', { start: to }), hold(tutor, { at: to })]);
      expect(codes(replies)).toEqual([200, 'slot_unavailable']);
    }
  });

  test('two bookings that change places at once do not deadlock: each keeps its time or is told', async () => {
    const tutor = await listedTutor(service);
    const [one, other] = [uuidv7(), uuidv7()];
    await hold(tutor, { bookingId: one, at: start(0) });
    await hold(tutor, { bookingId: other, at: start(4) });
    const replies = await Promise.all([
      step(one, 'move', { start: start(4) }),
      step(other, 'move', { start: start(0) }),
    ]);
    expect(codes(replies)).toEqual(['slot_unavailable', 'slot_unavailable']);
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
      await migrateContext(url.toString(), 'tutoring');
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

describe('sign-up', () => {
  const register = (id: string, key = `user:${id}/tutor-profile`) =>
    service.internal('POST', '/internal/tutors', {
      key,
      body: { userId: id, displayName: 'Tina Tutor', timeZone: 'Europe/Berlin' },
    });
  const remove = (id: string) =>
    service.internal('POST', `/internal/tutors/${id}/remove`, { key: `user:${id}/tutor-profile/undo` });
  const profiles = (id: string) => service.database.db.select().from(tutorProfiles).where(eq(tutorProfiles.id, id));

  test('makes one empty profile, however often it is asked', async () => {
    const id = uuidv7();
    const replies = await Promise.all([register(id), register(id), register(id, `user:${id}/again`)]);
    expect(replies.map(({ status, body }) => [status, body])).toEqual(Array.from({ length: 3 }, () => [201, { id }]));
    expect(await profiles(id)).toHaveLength(1);
    expect(await eventsOf({ id, token: '' })).toEqual(['TutorRegistered']);
  });

  test('is undone completely, and what arrives after its undo is refused', async () => {
    const id = uuidv7();
    await register(id);
    expect(codes(await Promise.all([remove(id), remove(id)]))).toEqual([204, 204]);
    expect(await profiles(id)).toEqual([]);
    expect(await eventsOf({ id, token: '' })).toEqual(['TutorRegistered', 'TutorRemoved']);

    const never = uuidv7();
    expect((await remove(never)).status).toBe(204);
    expect(codes([await register(never)])).toEqual(['undone']);
    expect(await profiles(never)).toEqual([]);
  });

  test('does not take away a profile that its tutor completed', async () => {
    const tutor = await listedTutor(service);
    expect((await remove(tutor.id)).status).toBe(204);
    expect((await service.ask('GET', `/api/tutors/${tutor.id}`)).status).toBe(200);
  });
});

describe('changes of one profile at once', () => {
  test('of two that complete it one wins', async () => {
    const tutor = await newTutor(service);
    const body = {
      headline: 'Hello',
      biography: 'Me',
      subjects: ['Maths'],
      languages: ['en'],
      timeZone: 'UTC',
      instantBooking: false,
    };
    const replies = await Promise.all(
      Array.from({ length: 5 }, () => service.ask('POST', '/api/tutors/profile', { token: tutor.token, body })),
    );
    expect(codes(replies)).toEqual([201, ...Array.from({ length: 4 }, () => 'profile_exists')]);
    expect(await eventsOf(tutor)).toEqual(['TutorRegistered', 'TutorProfileCreated']);
  });

  test('hours, prices and fields all arrive, one event each', async () => {
    const tutor = await listedTutor(service);
    const before = (await eventsOf(tutor)).length;
    const price = (amount: number) => ({ kind: 'hourly', price: { amount, currency: 'EUR' } });
    const put = (method: string, path: string, body: unknown) =>
      service.ask(method, path, { token: tutor.token, body });
    const replies = await Promise.all(
      [1, 2, 3, 4].flatMap((round) => [
        put('PUT', '/api/tutors/pricing', { options: [price(1000 + round)] }),
        put('PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly: ALWAYS.slice(0, round), exceptions: [] }),
        put('PATCH', '/api/tutors/profile', { subjects: ['Maths', `Level ${round}`] }),
      ]),
    );
    expect(codes(replies)).toEqual(Array.from({ length: 12 }, () => 200));
    const types = (await eventsOf(tutor)).slice(before);
    expect(types.toSorted()).toEqual(
      ['TutorAvailabilityUpdated', 'TutorPricingChanged', 'TutorProfileUpdated'].flatMap((type) =>
        Array.from({ length: 4 }, () => type),
      ),
    );
  });
});
