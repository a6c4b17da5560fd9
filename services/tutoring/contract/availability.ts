import { z } from 'zod';
import {
  CalendarDate,
  InstantOut,
  inQuery,
  KnownTimeZone,
  PageQuery,
  QueryInstant,
  SessionMinutes,
  TimeZone,
} from '../../../platform/schemas';

const From = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a local time such as 09:00');
const To = z.string().regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'must be a local time such as 17:00, at most 24:00');

export const WeeklyHours = z
  .strictObject({ weekday: z.int().min(1).max(7), from: From, to: To })
  .meta({ id: 'WeeklyHours', description: 'Local hours on every such weekday; Monday is 1' });
export type WeeklyHours = z.output<typeof WeeklyHours>;

export const DatedHours = z
  .union(
    [
      z.strictObject({ date: CalendarDate, available: z.literal(false) }),
      z.strictObject({ date: CalendarDate, from: From, to: To }),
    ],
    'must be {date, available: false} or {date, from, to}',
  )
  .meta({ id: 'DatedHours', description: 'Replaces the weekly hours of one day; several entries of a day add up' });
export type DatedHours = z.output<typeof DatedHours>;

export const Availability = z
  .strictObject({
    timeZone: TimeZone,
    weekly: z.array(WeeklyHours).max(100),
    exceptions: z.array(DatedHours).max(400),
  })
  .meta({ id: 'Availability', description: 'When a tutor can be booked, in local time of `timeZone`' });
export type Availability = z.output<typeof Availability>;

export const KnownAvailability = Availability.extend({ timeZone: KnownTimeZone }).meta({
  id: 'KnownAvailability',
  description: 'Hours as they are stored: names of zones from before were taken in any case of their letters',
});

export const SlotQuery = z.strictObject({
  from: QueryInstant.optional().meta({ description: 'Earliest start; now if absent' }),
  to: QueryInstant.optional().meta({
    description: 'Starts lie before it; a week after `from` if absent, at most 31 days',
  }),
  durationMinutes: inQuery(SessionMinutes).default(60),
  cursor: PageQuery.shape.cursor,
  limit: inQuery(z.int().min(1).max(100)).default(100),
});
export type SlotQuery = z.output<typeof SlotQuery>;

export const FreeSlot = z.strictObject({ start: InstantOut, end: InstantOut }).meta({ id: 'FreeSlot' });
export type FreeSlot = z.output<typeof FreeSlot>;
