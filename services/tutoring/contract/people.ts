import { z } from 'zod';
import { MOST_MINOR_UNITS } from '../../../kernel/money';
import { LEAST_PRICE } from '../../../kernel/session';
import {
  Instant,
  InstantOut,
  inQuery,
  Money,
  PageQuery,
  SessionMinutes,
  TimeZone,
  text,
  Uuid,
} from '../../../platform/schemas';

// ── Profile ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A day of the calendar. Bounded, because Postgres and clients disagree about years far off. */
const CalendarDate = z.iso
  .date()
  .refine((date) => date >= '1900-01-01' && date <= '2199-12-31', 'must be between 1900 and 2199');
const HttpsUrl = text(1, 500).refine(isPlainHttpsUrl, 'must be an https URL without a user name or password');

function isPlainHttpsUrl(value: string): boolean {
  // What a URL parser would drop or escape (spaces, line breaks, quotes, angle brackets) would not be in the link people see.
  if (/[\s"<>]/.test(value) || !URL.canParse(value)) return false;
  const url = new URL(value);
  return url.protocol === 'https:' && url.username === '' && url.password === '';
}

export const Education = z
  .strictObject({
    institution: text(1, 160),
    degree: text(1, 160),
    startYear: z.union([z.int().min(1900).max(2199), z.null()]).optional(),
    endYear: z.union([z.int().min(1900).max(2199), z.null()]).optional(),
  })
  .meta({ id: 'Education' });
export type Education = z.infer<typeof Education>;

export const ProfileBody = z.strictObject({
  headline: text(1, 160),
  biography: text(1, 5_000),
  subjects: z.array(text(1, 80)).min(1).max(30),
  languages: z.array(text(2, 40)).min(1).max(20),
  timeZone: TimeZone,
  instantBooking: z.boolean(),
  displayName: text(1, 250).optional(),
  education: z.array(Education).max(20).optional(),
});
export type ProfileBody = z.infer<typeof ProfileBody>;
export const ProfilePatch = ProfileBody.partial();
export type ProfilePatch = z.infer<typeof ProfilePatch>;

// ── Availability ────────────────────────────────────────────────────────────────────────────────────────────────────

const From = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, 'must be a local time such as 09:00');
const To = z.string().regex(/^(([01]\d|2[0-3]):[0-5]\d|24:00)$/, 'must be a local time such as 17:00, at most 24:00');

export const WeeklyHours = z
  .strictObject({ weekday: z.int().min(1).max(7), from: From, to: To })
  .meta({ id: 'WeeklyHours', description: 'Local hours on every such weekday; Monday is 1' });
export type WeeklyHours = z.infer<typeof WeeklyHours>;

export const DatedHours = z
  .union(
    [
      z.strictObject({ date: CalendarDate, available: z.literal(false) }),
      z.strictObject({ date: CalendarDate, from: From, to: To }),
    ],
    'must be {date, available: false} or {date, from, to}',
  )
  .meta({ id: 'DatedHours', description: 'Replaces the weekly hours of one day; several entries of a day add up' });
export type DatedHours = z.infer<typeof DatedHours>;

export const Availability = z
  .strictObject({
    timeZone: TimeZone,
    weekly: z.array(WeeklyHours).max(100),
    exceptions: z.array(DatedHours).max(400),
  })
  .meta({ id: 'Availability', description: 'When a tutor can be booked, in local time of `timeZone`' });
export type Availability = z.infer<typeof Availability>;

// ── Pricing ─────────────────────────────────────────────────────────────────────────────────────────────────────────

const Price = Money.extend({ amount: Money.shape.amount.min(LEAST_PRICE) });

const OptionBody = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('hourly'), price: Price, label: text(1, 80).optional() }),
  z.strictObject({
    kind: z.literal('package'),
    price: Price,
    sessions: z.int().min(1).max(100),
    label: text(1, 80).optional(),
  }),
]);
export const PricingBody = z.strictObject({ options: z.array(OptionBody).max(20) });
export type PricingBody = z.infer<typeof PricingBody>;

export const PricingOption = z
  .strictObject({
    id: Uuid,
    kind: z.enum(['hourly', 'package']),
    price: Money,
    sessions: z.int().optional(),
    label: z.string().optional(),
  })
  .meta({ id: 'PricingOption', description: 'An hourly price, or one for a package of `sessions`' });
export type PricingOption = z.infer<typeof PricingOption>;

// ── Certifications ──────────────────────────────────────────────────────────────────────────────────────────────────

export const CertificationBody = z.strictObject({
  name: text(1, 160),
  issuer: text(1, 160),
  issuedOn: CalendarDate.optional(),
  expiresOn: CalendarDate.optional(),
  credentialUrl: HttpsUrl.optional(),
});
export type CertificationBody = z.infer<typeof CertificationBody>;

export const Certification = z
  .strictObject({
    id: Uuid,
    name: z.string(),
    issuer: z.string(),
    issuedOn: z.union([z.iso.date(), z.null()]),
    expiresOn: z.union([z.iso.date(), z.null()]),
    credentialUrl: z.union([z.string(), z.null()]),
  })
  .meta({ id: 'Certification' });
export type Certification = z.infer<typeof Certification>;

// ── What is read ────────────────────────────────────────────────────────────────────────────────────────────────────

export const Tutor = z
  .strictObject({
    id: Uuid,
    userId: Uuid.meta({ description: "Equal to `id`: a tutor's id is their user's" }),
    displayName: z.string(),
    headline: z.string(),
    biography: z.string(),
    subjects: z.array(z.string()),
    languages: z.array(z.string()),
    timeZone: z.string(),
    instantBooking: z.boolean(),
    pricing: z.array(PricingOption),
    rating: z.strictObject({ average: z.union([z.number(), z.null()]), count: z.int() }),
    verified: z.boolean(),
    listed: z
      .boolean()
      .meta({ description: 'Has a completed profile, hours and an hourly price, so can be found and booked' }),
    education: z.array(Education),
    certifications: z.array(Certification),
  })
  .meta({ id: 'Tutor' });
export type Tutor = z.infer<typeof Tutor>;

export const OwnTutor = z
  .strictObject({ ...Tutor.shape, availability: Availability })
  .meta({ id: 'OwnTutor', description: 'A tutor as they see themselves' });
export type OwnTutor = z.infer<typeof OwnTutor>;

const TutorSort = z.enum(['rating', 'price_asc', 'price_desc', 'newest']);
export type TutorSort = z.infer<typeof TutorSort>;

export const TutorQuery = PageQuery.extend({
  q: text(0, 200)
    .optional()
    .meta({ description: 'Words that name, headline, biography or subjects contain; beginnings count' }),
  subject: text(1, 80).optional().meta({ description: 'One of the subjects, in any case' }),
  language: text(1, 40).optional().meta({ description: 'One of the languages, in any case' }),
  minRating: inQuery(z.number().min(0).max(5)).optional(),
  maxPrice: inQuery(z.int().min(0).max(MOST_MINOR_UNITS)).optional().meta({
    description: 'Highest price of an hour in minor units; a tutor with several counts with the lowest',
  }),
  sort: TutorSort.default('rating'),
});
export type TutorQuery = z.infer<typeof TutorQuery>;

/** An instant in a query. `+` means a space there (URL Standard, form-urlencoded), and many a client forgets to write `%2B`. */
const QueryInstant = z.preprocess((value) => (typeof value === 'string' ? value.replace(' ', '+') : value), Instant);

export const SlotQuery = z.strictObject({
  from: QueryInstant.optional().meta({ description: 'Earliest start; now if absent' }),
  to: QueryInstant.optional().meta({
    description: 'Starts lie before it; a week after `from` if absent, at most 31 days',
  }),
  durationMinutes: inQuery(SessionMinutes).default(60),
  cursor: PageQuery.shape.cursor,
  limit: inQuery(z.int().min(1).max(100)).default(100),
});
export type SlotQuery = z.infer<typeof SlotQuery>;

export const FreeSlot = z.strictObject({ start: InstantOut, end: InstantOut }).meta({ id: 'FreeSlot' });
export type FreeSlot = z.infer<typeof FreeSlot>;

// ── What sagas use ──────────────────────────────────────────────────────────────────────────────────────────────────

export const Quote = z
  .strictObject({
    tutorId: Uuid,
    displayName: z.string(),
    timeZone: z.string(),
    instantBooking: z.boolean(),
    subject: z.string().meta({ description: 'As the tutor spells it' }),
    price: Money,
    startsAt: InstantOut,
    endsAt: InstantOut,
  })
  .meta({ id: 'Quote' });
export type Quote = z.infer<typeof Quote>;

/** The interval a booking keeps of its tutor's time. `expiresAt` is null once it is booked. */
export const Slot = z
  .strictObject({
    bookingId: Uuid,
    tutorId: Uuid,
    state: z.enum(['held', 'booked']),
    start: InstantOut,
    end: InstantOut,
    expiresAt: z.union([InstantOut, z.null()]),
  })
  .meta({ id: 'Slot' });
export type Slot = z.infer<typeof Slot>;
