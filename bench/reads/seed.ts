import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { seedBooking, seedTutoring, settle, sizeOf } from './rows';
import { type ReadStage, readers } from './stage';

const noteSchema = z.object({ bookings: z.number(), at: z.number() });
// Bookings are made around the day of the seed; a few days later there are fewer ahead.
const FRESH_MS = 3 * 86_400_000;

/**
 * Fills the databases of the stage with so many bookings and their tutors, unless they hold these already. Earlier
 * rows are deleted.
 */
export async function seeded(stage: ReadStage, bookings: number, say: (line: string) => void): Promise<void> {
  const note = join(stage.dataDir, 'seeded.json');
  const known = existsSync(note) ? noteSchema.parse(JSON.parse(readFileSync(note, 'utf8'))) : undefined;
  if (known?.bookings === bookings && Date.now() - known.at < FRESH_MS)
    return say(`${bookings} bookings are still there`);
  rmSync(note, { force: true });
  const people = await readers(stage);
  say(`${people.length} readers have signed up`);
  const [size, now] = [sizeOf(bookings), new Date()];
  const [tutoring, booking] = [stage.database('tutoring'), stage.database('booking')];
  await Promise.all([seedTutoring(tutoring, size, people, now, say), seedBooking(booking, size, people, now, say)]);
  await Promise.all([settle(tutoring), settle(booking)]);
  writeFileSync(note, JSON.stringify({ bookings, at: now.getTime() }));
  say(`${size.tutors} tutors and ${bookings} bookings are there`);
}
