import { eq } from 'drizzle-orm';
import { events, slots } from '../../db/schema/tutoring';
import { DAY, HOUR, MINUTE } from '../../kernel/time';
import { uuidv7 } from '../../platform/ids';
import type { Reply, TestService } from './service';
import type { TestTutor } from './tutors';

/** A full hour about three days from now, in milliseconds since 1970. */
export const base = Math.ceil((Date.now() + 3 * DAY) / HOUR) * HOUR;
/** The instant that is `quarters` quarter hours after `base`. */
export const start = (quarters: number) => new Date(base + quarters * 15 * MINUTE).toISOString();
export const inAnHour = () => new Date(Date.now() + HOUR).toISOString();
export const anHourAgo = () => new Date(Date.now() - HOUR).toISOString();

const workflow = (bookingId: string) => `booking:${bookingId}`;
const holdKey = (bookingId: string) => `${workflow(bookingId)}/hold-slot`;

interface Hold {
  bookingId?: string;
  at?: string;
  minutes?: number;
  expiresAt?: string | null;
  key?: string;
}

type Later = 'extend' | 'block' | 'move' | 'reserve' | 'keep';

/** The steps by which booking's saga takes a tutor's time in `service`, and what came of them. */
export function slotSteps(service: () => TestService) {
  function hold(tutor: TestTutor, options: Hold = {}): Promise<Reply> {
    const { bookingId = uuidv7(), at = start(0), minutes = 60, expiresAt = inAnHour() } = options;
    return service().internal('POST', `/internal/slots/${bookingId}/hold`, {
      key: options.key ?? holdKey(bookingId),
      body: { tutorId: tutor.id, start: at, durationMinutes: minutes, expiresAt },
    });
  }

  /** A later step of the saga of `bookingId`; a number makes the key of a second one. */
  function step(bookingId: string, name: Later, body?: unknown, attempt = 1): Promise<Reply> {
    const key = `${workflow(bookingId)}/${name}-slot-${attempt}`;
    return service().internal('POST', `/internal/slots/${bookingId}/${name}`, { key, body });
  }

  /** The undo of the step by which `bookingId` reserved a time. */
  function unreserve(bookingId: string, attempt = 1): Promise<Reply> {
    const key = `${workflow(bookingId)}/reserve-slot-${attempt}/undo`;
    return service().internal('POST', `/internal/slots/${bookingId}/unreserve`, { key });
  }

  function release(bookingId: string): Promise<Reply> {
    const key = `${holdKey(bookingId)}/undo`;
    return service().internal('POST', `/internal/slots/${bookingId}/release`, { key });
  }

  const slotsOf = (tutor: TestTutor) => service().database.db.select().from(slots).where(eq(slots.tutorId, tutor.id));

  /** What a booking keeps, the earliest first: the time of its session, and what it has reserved for a move. */
  async function kept(bookingId: string): Promise<{ start: string; of: 'session' | 'move' }[]> {
    const rows = await service().database.sql<{ start: string; moves: boolean }[]>`
      select lower(during) as start, booking_id is null as moves from slots
      where booking_id = ${bookingId} or reserved_by = ${bookingId} order by start`;
    return rows.map((row) => ({ start: new Date(row.start).toISOString(), of: row.moves ? 'move' : 'session' }));
  }

  async function eventsOf(tutor: TestTutor): Promise<string[]> {
    const rows = await service()
      .database.db.select({ type: events.type })
      .from(events)
      .where(eq(events.streamId, tutor.id))
      .orderBy(events.version);
    return rows.map(({ type }) => type);
  }

  return { hold, step, unreserve, release, slotsOf, kept, eventsOf };
}

/** How requests that race ended, in order: the status of a success, the code of a refusal. */
export const codes = (replies: Reply[]) =>
  replies.map(({ status, body }) => (status < 300 ? status : body.code)).toSorted();
