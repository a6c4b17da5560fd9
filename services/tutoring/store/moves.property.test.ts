import { asc, eq } from 'drizzle-orm';
import { events } from '../../../db/schema/tutoring';
import { type Chance, chance } from '../../../dev/chaos/chance';
import { uuidv7 } from '../../../platform/ids';
import { startTestService, type TestService } from '../../../tests/support/service';
import { codes, inAnHour, slotSteps, start } from '../../../tests/support/slots';
import { listedTutor, type TestTutor } from '../../../tests/support/tutors';
import type { Slot } from '../contract';
import { tutoringService } from '../routes';

// Moves beside students who want the same times. What each booking kept when is read from the tutor's events, whose order is that of the
// changes.

jest.setTimeout(120_000);

const SEED = 20_261_128;

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

const { hold, step, unreserve, release, kept } = slotSteps(() => service);

interface Told {
  type: string;
  slot: Slot;
}

async function toldOf(tutor: TestTutor): Promise<Told[]> {
  const { db } = service.database;
  const rows = await db.select().from(events).where(eq(events.streamId, tutor.id)).orderBy(asc(events.version));
  const ofSlots = rows.filter(({ type }) => type.startsWith('Slot'));
  return ofSlots.map(({ type, data }) => ({ type, slot: data as unknown as Slot }));
}

/** Goes through what was told, and expects that no two bookings ever had times that overlap. @returns what is kept in the end */
function expectNoOverlap(told: Told[]): Slot[] {
  let keeps: Slot[] = [];
  for (const { type, slot } of told) {
    const { bookingId } = slot;
    keeps = keeps.filter((other) => other.bookingId !== bookingId || other.start !== slot.start);
    if (type === 'SlotReleased' || type === 'SlotHoldExpired') continue;
    const others = keeps.filter((other) => other.bookingId !== bookingId);
    expect(others.filter((other) => other.start < slot.end && slot.start < other.end)).toEqual([]);
    keeps.push(slot);
  }
  return keeps;
}

test.each([4, 1])(
  'of 50 students who race for each time of a session that moves by %d quarter hours, one gets what is free',
  async (by) => {
    for (let round = 0; round < 2; round++) {
      const tutor = await listedTutor(service);
      const bookingId = uuidv7();
      await hold(tutor, { bookingId, expiresAt: null });
      const crowd = (quarters: number) => Array.from({ length: 50 }, () => hold(tutor, { at: start(quarters) }));
      const move = async () => {
        const there = { start: start(by) };
        const reply = await step(bookingId, 'reserve', there);
        if (reply.status === 200) expect((await step(bookingId, 'keep', there)).status).toBe(204);
        return reply;
      };
      // Whoever is sent first is likelier to win: take turns, so that both outcomes are seen.
      const students = round % 2 ? [] : [...crowd(by), ...crowd(0)];
      const moving = move();
      students.push(...(round % 2 ? [...crowd(by), ...crowd(0)] : []));
      const moved = (await moving).status === 200;
      const won = (await Promise.all(students)).filter(({ status }) => status === 200);

      const told = await toldOf(tutor);
      expectNoOverlap(told);
      expect(await kept(bookingId)).toEqual([{ start: start(moved ? by : 0), of: 'session' }]);
      const freed = told.findIndex(({ type }) => type === 'SlotReleased');
      const oldTaken = told.findIndex(({ type, slot }) => type === 'SlotHeld' && slot.start === start(0));
      if (oldTaken >= 0) expect(freed).toBeLessThan(oldTaken);
      expect(freed >= 0).toBe(moved);
      expect(won.length).toBeLessThanOrEqual(1);
    }
  },
);

test('whatever bookings reserve, give up, keep and repeat beside each other, each has its session, and no two overlap', async () => {
  const tutor = await listedTutor(service);
  const movers = Array.from({ length: 4 }, (_, index) => ({ bookingId: uuidv7(), at: index * 8, index }));
  for (const { bookingId, at } of movers) await hold(tutor, { bookingId, at: start(at), expiresAt: null });
  const seen: Record<string, number> = {};
  await Promise.all([
    ...movers.map((mover) => movesOf(mover, chance(SEED, `mover ${mover.index}`), seen)),
    ...[1, 2].map((student) => comeAndGo(tutor, chance(SEED, `student ${student}`))),
  ]);
  const keeps = expectNoOverlap(await toldOf(tutor));
  for (const { bookingId } of movers)
    expect(await kept(bookingId)).toEqual(
      keeps.filter((slot) => slot.bookingId === bookingId).map((slot) => ({ start: slot.start, of: 'session' })),
    );
  expect(Object.keys(seen).toSorted()).toEqual(['given up', 'moved', 'slot_unavailable', 'undone first']);
});

/** Moves one session again and again, as its saga does: step by step, some of them repeated, some given up, some undone before they come. */
async function movesOf(mover: { bookingId: string; at: number }, draw: Chance, seen: Record<string, number>) {
  const { bookingId } = mover;
  let at = mover.at;
  const sees = (what: string) => {
    seen[what] = (seen[what] ?? 0) + 1;
  };
  const expectSession = async () => expect(await kept(bookingId)).toContainEqual({ start: start(at), of: 'session' });
  for (let attempt = 1; attempt <= 16; attempt++) {
    // Often by a quarter hour or two, often onto a time that another one has or comes from.
    const to = Math.max(0, draw.holds(0.5) ? at + draw.below(5) - 2 : draw.below(36));
    const there = { start: start(to) };
    const reserve = () => step(bookingId, 'reserve', there, attempt);
    if (draw.holds(0.2)) {
      const [undone] = await Promise.all([unreserve(bookingId, attempt), ...(draw.holds(0.5) ? [reserve()] : [])]);
      expect(undone.status).toBe(204);
      expect(codes([await reserve()])).toEqual(['undone']);
      sees('undone first');
      await expectSession();
      continue;
    }
    const [reply] = codes(await Promise.all([reserve(), ...(draw.holds(0.3) ? [reserve()] : [])]));
    await expectSession();
    if (reply !== 200 || draw.holds(0.4)) {
      sees(reply === 200 ? 'given up' : String(reply));
      expect((await unreserve(bookingId, attempt)).status).toBe(204);
      expect(codes([await reserve()])).toEqual(['undone']);
    } else {
      await Promise.all([1, ...(draw.holds(0.3) ? [2] : [])].map(() => step(bookingId, 'keep', there, attempt)));
      at = to;
      sees('moved');
    }
    expect(await kept(bookingId)).toEqual([{ start: start(at), of: 'session' }]);
  }
}

/** A student who holds times and lets them go. */
async function comeAndGo(tutor: TestTutor, draw: Chance): Promise<void> {
  for (let visit = 0; visit < 24; visit++) {
    const bookingId = uuidv7();
    const held = await hold(tutor, { bookingId, at: start(draw.below(36)), expiresAt: inAnHour() });
    expect([200, 'slot_unavailable']).toContain(held.status === 200 ? 200 : held.body.code);
    expect((await release(bookingId)).status).toBe(204);
  }
}
