import { drizzle } from 'drizzle-orm/postgres-js';
import { uuidv7 } from '../../../platform/ids';
import { bookingRows, refused, step } from '../../../tests/support/booking-rows';
import { inHours } from '../../../tests/support/bookings';
import type { ListQuery } from '../contract';
import { setMeetingUrl } from './meeting-link';
import { listBookings, liveSessions, placeInList, readBooking, readTimeline } from './reads';
import { completeConfirmed, confirmPending } from './saga-steps';

const { db, database, created, confirmed } = bookingRows();

test('a timeline tells what happened, and not who is told of it', async () => {
  const { id, studentId, tutorId } = await readBooking(db(), (await confirmed()).id);
  const [requested] = await readTimeline(db(), id);
  expect(requested).toMatchObject({ type: 'BookingRequested', actor: 'student', data: { studentId, tutorId } });
  const members = [
    ...['bookingId', 'durationMinutes', 'endsAt', 'instantBooking', 'price'],
    ...['startsAt', 'studentId', 'tutorId'],
  ];
  expect(Object.keys(requested?.data ?? {}).toSorted()).toEqual(members);
  const [row] = await database.sql`select data from events where stream_id = ${id} and version = 1`;
  expect(row?.data.participantIds).toEqual([studentId, tutorId]);
});

describe('the meeting link', () => {
  test('is set, replaced and cleared without telling it to the log', async () => {
    const { id } = await confirmed();
    await setMeetingUrl(db(), id, 'https://meet.example/secret-room');
    await setMeetingUrl(db(), id, 'https://meet.example/secret-room');
    expect((await readBooking(db(), id)).meetingUrl).toBe('https://meet.example/secret-room');
    await setMeetingUrl(db(), id, null);
    expect((await readBooking(db(), id)).meetingUrl).toBeNull();
    const timeline = await readTimeline(db(), id);
    expect(timeline.filter(({ type }) => type === 'BookingMeetingUrlChanged')).toHaveLength(2);
    expect(JSON.stringify(timeline)).not.toContain('secret-room');
  });

  test('not of a booking that is over or unknown', async () => {
    const { id } = await confirmed();
    await completeConfirmed(db(), step(id, 'complete'), id, 'tutor');
    await expect(setMeetingUrl(db(), id, null)).rejects.toEqual(refused('invalid_state'));
    await expect(setMeetingUrl(db(), uuidv7(), null)).rejects.toEqual(refused('not_found'));
  });
});

describe('lists', () => {
  const query = (change: Partial<ListQuery> = {}): ListQuery => ({ limit: 20, sort: '-scheduledAt', ...change });

  async function fiveOf(tutorId: string) {
    const made = [];
    // Two of them start at the same moment, so that pages must also order by id.
    for (const hours of [30, 40, 40, 50, 60]) made.push(await created({ tutorId, scheduledAt: inHours(hours) }));
    return made;
  }

  test.each(['-scheduledAt', 'scheduledAt'] as const)('every booking once, page by page, by %s', async (sort) => {
    const tutorId = uuidv7();
    const made = await fiveOf(tutorId);
    const seen: { id: string; at: string }[] = [];
    let cursor: string | null = null;
    do {
      const page = await listBookings(db(), { tutorId }, query({ sort, limit: 2, ...(cursor && { cursor }) }));
      expect(page.items.length).toBeLessThanOrEqual(2);
      seen.push(...page.items.map(({ id, scheduledAt }) => ({ id, at: scheduledAt })));
      cursor = page.nextCursor;
    } while (cursor);
    expect(seen.map(({ id }) => id).sort()).toEqual(made.map(({ id }) => id).sort());
    const times = seen.map(({ at }) => at);
    expect(times).toEqual(sort === 'scheduledAt' ? times.toSorted() : times.toSorted().reverse());
  });

  test('by owner, status and time; a full last page has no next', async () => {
    const tutorId = uuidv7();
    const made = await fiveOf(tutorId);
    const [first, second] = made;
    if (!first || !second) throw new Error('five were made');
    await confirmPending(db(), step(first.id, 'confirm'), first.id);
    const ids = async (owner: Parameters<typeof listBookings>[1], change: Partial<ListQuery>) =>
      (await listBookings(db(), owner, query(change))).items.map(({ id }) => id);
    expect(await ids({ tutorId }, { status: 'confirmed' })).toEqual([first.id]);
    expect(await ids({ studentId: second.studentId }, {})).toEqual([second.id]);
    expect(await ids({ tutorId: second.studentId }, {})).toEqual([]);
    expect(await ids({ tutorId }, { from: second.scheduledAt, to: inHours(50) })).toHaveLength(2);
    expect(await ids('all', { limit: 100 })).toEqual(expect.arrayContaining(made.map(({ id }) => id)));
    expect((await listBookings(db(), { tutorId }, query({ limit: 5 }))).nextCursor).toBeNull();
  });

  test('a cursor that is none of ours is refused', async () => {
    for (const text of ['nonsense', '1 2', `${'9'.repeat(15)} ${uuidv7()}`, '']) {
      const cursor = Buffer.from(text).toString('base64url');
      await expect(listBookings(db(), 'all', query({ cursor }))).rejects.toEqual(refused('validation_failed'));
    }
  });

  test.each<[string, Parameters<typeof listBookings>[1], Partial<ListQuery>]>([
    ['a student’s', { studentId: uuidv7() }, {}],
    ['a tutor’s of one status', { tutorId: uuidv7() }, { status: 'pending', sort: 'scheduledAt' }],
    ['a tutor’s from a time on', { tutorId: uuidv7() }, { from: inHours(1), sort: 'scheduledAt' }],
    ['everybody’s', 'all', {}],
  ])('%s list, first page or later, is a range of an index and sorts nothing', async (_, owner, change) => {
    const asked: { text: string; parameters: unknown[] }[] = [];
    const logger = { logQuery: (text: string, parameters: unknown[]) => void asked.push({ text, parameters }) };
    const listening = drizzle(database.sql, { logger });
    const cursor = placeInList.write([Date.parse(inHours(50)), uuidv7()]);
    for (const more of [{}, { cursor }]) await listBookings(listening, owner, query({ ...change, ...more }));
    expect(asked).toHaveLength(2);
    await database.sql.begin(async (tx) => {
      await tx`set local enable_seqscan = off`;
      await tx`set local enable_bitmapscan = off`;
      for (const { text, parameters } of asked) {
        const plan = await tx.unsafe(`explain ${text}`, parameters.map(String));
        const lines = plan.map((row) => row['QUERY PLAN']).join('\n');
        expect(lines).toMatch(/Index (Only )?Scan.* on bookings/);
        expect(lines).not.toContain('Sort');
      }
    });
  });

  test('the live sessions of a student at a time', async () => {
    const { studentId, scheduledAt } = await created();
    const around = { startsAt: inHours(71), endsAt: inHours(74) };
    expect(await liveSessions(db(), studentId, around)).toMatchObject([{ startsAt: scheduledAt }]);
    expect(await liveSessions(db(), studentId, { startsAt: inHours(73), endsAt: inHours(74) })).toEqual([]);
  });
});
