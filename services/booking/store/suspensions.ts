import { and, asc, eq, inArray, or } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { bookings } from '../../../db/schema/booking';
import type { OpenSessions } from '../contract';
import { fateOf } from '../rules/suspension';

/** What becomes of the bookings of a person who is kept out, the next session first. */
export async function readOpenSessions(db: Database, personId: string, now: Date): Promise<OpenSessions> {
  const rows = await db
    .select()
    .from(bookings)
    .where(
      and(
        or(eq(bookings.studentId, personId), eq(bookings.tutorId, personId)),
        inArray(bookings.status, ['pending', 'confirmed']),
      ),
    )
    .orderBy(asc(bookings.startsAt), asc(bookings.id));
  const sessions: OpenSessions = { withdraw: [], ask: [] };
  for (const row of rows) {
    const fate = fateOf(row, personId, now);
    if (fate === 'ask') sessions.ask.push(row.id);
    else if (fate) sessions.withdraw.push({ id: row.id, by: fate });
  }
  return sessions;
}
