import { type FieldError, ProblemError } from '../../../kernel/errors';
import { isUuid } from '../../../kernel/ids';
import { MOST_MINOR_UNITS, type Money, scaleHalfUp } from '../../../kernel/money';
import { HORIZON_DAYS, HORIZON_MS, LEAST_PRICE, START_GRID_MINUTES } from '../../../kernel/session';
import { DAY, HOUR, MINUTE } from '../../../kernel/time';
import { type Span, weekdayOf, type ZoneClock, zoneClock } from '../../../kernel/zone';
import type { Availability, CertificationBody, PricingBody, PricingOption, ProfilePatch, TutorSort } from '../contract';

// ── Free time ───────────────────────────────────────────────────────────────────────────────────────────────────────

const START_GRID = START_GRID_MINUTES * MINUTE;
/** Longest window of one question for slots: a month of local days, one of which may be longer than 24 hours. */
const LONGEST_WINDOW = 31 * DAY + 2 * HOUR;
const USUAL_WINDOW = 7 * DAY;

/** When the tutor can be booked, merged and in order. Hours that touch are one, also across midnight. */
function openSpans(hours: Availability, clock: ZoneClock): Span[] {
  const spans = clock.dates.flatMap((date) =>
    hoursOn(hours, date).map(({ from, to }) => ({
      start: clock.reaches(date, minutesOf(from)),
      end: clock.reaches(date, minutesOf(to)),
    })),
  );
  // Hours that daylight saving skips as a whole have come out empty.
  return merge(spans.filter(({ start, end }) => start < end));
}

/** A dated exception replaces the hours of its whole day. */
function hoursOn(hours: Availability, date: string): { from: string; to: string }[] {
  const dated = hours.exceptions.filter((exception) => exception.date === date);
  if (dated.length > 0) return dated.flatMap((exception) => ('from' in exception ? [exception] : []));
  const weekday = weekdayOf(date);
  return hours.weekly.filter((weekly) => weekly.weekday === weekday);
}

function merge(spans: Span[]): Span[] {
  const merged: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.start - b.start)) {
    const last = merged.at(-1);
    if (last && span.start <= last.end) last.end = Math.max(last.end, span.end);
    else merged.push({ ...span });
  }
  return merged;
}

function subtract(spans: Span[], taken: Span[]): Span[] {
  const meets = (a: Span, b: Span) => a.start < b.end && b.start < a.end;
  const cut = (parts: Span[], out: Span) =>
    parts.flatMap((part) => {
      if (!meets(part, out)) return [part];
      const [before, after] = [
        { start: part.start, end: out.start },
        { start: out.end, end: part.end },
      ];
      return [before, after].filter(({ start, end }) => start < end);
    });
  return spans.flatMap((span) => taken.filter((out) => meets(span, out)).reduce(cut, [span]));
}

/**
 * Up to `limit` instants in `window` at which a session of `minutes` can start: on the quarter hour, within the hours,
 * clear of what is taken. The session itself may end after the window. When the clock is put back, a time that comes
 * twice can be booked at its first coming only; a session may run on into the second.
 */
export function freeStarts(
  hours: Availability,
  taken: Span[],
  window: Span,
  minutes: number,
  limit = Number.POSITIVE_INFINITY,
): number[] {
  if (window.end <= window.start) return [];
  const length = minutes * MINUTE;
  const clock = zoneClock(hours.timeZone, { start: window.start, end: window.end + length });
  const starts: number[] = [];
  for (const free of subtract(openSpans(hours, clock), taken)) {
    const first = Math.ceil(Math.max(free.start, window.start) / START_GRID) * START_GRID;
    for (let start = first; start < window.end && start + length <= free.end; start += START_GRID) {
      if (clock.repeated.some((span) => span.start <= start && start < span.end)) continue;
      if (starts.push(start) === limit) return starts;
    }
  }
  return starts;
}

/**
 * That a session of `minutes` may start at `start`: not in the past (no minimum notice), at most 365 days ahead and
 * within the tutor's hours. Whether somebody else has the time is not asked here.
 * @throws ProblemError slot_unavailable
 */
export function assertOffered(hours: Availability, start: number, minutes: number, now: number): void {
  if (start < now) throw new ProblemError('slot_unavailable', 'The time has passed');
  if (start > now + HORIZON_MS)
    throw new ProblemError('slot_unavailable', `Sessions start within ${HORIZON_DAYS} days`);
  if (freeStarts(hours, [], { start, end: start + 1 }, minutes).length === 0)
    throw new ProblemError('slot_unavailable', "The session is outside the tutor's hours");
}

/**
 * The window of a question for slots: a week from now if not said otherwise, without what is past, too far ahead or,
 * when paging, up to `after`. May come out empty.
 * @throws ProblemError validation_failed when it is reversed or longer than 31 days
 */
export function slotWindow(query: { from?: string; to?: string }, now: number, after?: number): Span {
  const from = query.from === undefined ? now : Date.parse(query.from);
  const to = query.to === undefined ? from + USUAL_WINDOW : Date.parse(query.to);
  if (to <= from) refuse([{ path: 'query.to', message: 'must be after from' }]);
  if (to - from > LONGEST_WINDOW) refuse([{ path: 'query.to', message: 'must be at most 31 days after from' }]);
  return { start: Math.max(from, now, (after ?? 0) + 1), end: Math.min(to, now + HORIZON_MS + 1) };
}

/** Minutes from local midnight to `clock`, `00:00` to `24:00`. */
export function minutesOf(clock: string): number {
  return Number(clock.slice(0, 2)) * 60 + Number(clock.slice(3));
}

/** `HH:MM` of minutes from local midnight, 0 to 1440. */
export function clockOf(minutes: number): string {
  const two = (value: number) => String(value).padStart(2, '0');
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

// ── Prices ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/**
 * The price of a session: the hourly price × minutes / 60, a half rounded up to the minor unit. Of several hourly
 * options the first counts, unless `optionId` chooses another.
 * @throws ProblemError validation_failed when there is no such hourly option, or a session at it costs too little or too much
 */
export function sessionPrice(options: PricingOption[], minutes: number, optionId?: string): Money {
  const hourly = options.find(({ kind, id }) => kind === 'hourly' && (optionId === undefined || id === optionId));
  if (!hourly) refuse([{ path: 'pricingOptionId', message: 'is not one of the hourly options of the tutor' }]);
  const amount = scaleHalfUp(hourly.price.amount, minutes, 60);
  if (amount < LEAST_PRICE || amount > MOST_MINOR_UNITS)
    refuse([
      {
        path: 'durationMinutes',
        message: `makes a price that is not ${LEAST_PRICE} to ${MOST_MINOR_UNITS} minor units`,
      },
    ]);
  return { amount, currency: hourly.price.currency };
}

/** The lowest hourly price, by which a tutor is found. */
export function lowestHourly(options: PricingBody['options']): number | null {
  const amounts = options.filter(({ kind }) => kind === 'hourly').map(({ price }) => price.amount);
  return amounts.length === 0 ? null : Math.min(...amounts);
}

/** The wanted options with ids: one that was there before keeps its own, so that a chosen option stays valid. */
export function withIds(wanted: PricingBody['options'], before: PricingOption[], newId: () => string): PricingOption[] {
  const ids = new Map(before.map((option) => [contentOf(option), option.id]));
  return wanted.map((option) => ({ id: ids.get(contentOf(option)) ?? newId(), ...option }));
}

function contentOf(option: PricingBody['options'][number] | PricingOption): string {
  const sessions = 'sessions' in option ? option.sessions : undefined;
  return JSON.stringify([option.kind, option.price.amount, option.price.currency, sessions, option.label]);
}

// ── What fields cannot say alone ────────────────────────────────────────────────────────────────────────────────────

/** @throws ProblemError validation_failed that names each field, unless there is none */
export function refuseIfAny(errors: FieldError[]): void {
  if (errors.length > 0) refuse(errors);
}

function refuse(errors: FieldError[]): never {
  throw new ProblemError('validation_failed', 'Some fields are not valid', { errors });
}

/** Reversed, empty, overlapping and contradicting hours. */
export function availabilityErrors({ weekly, exceptions }: Availability): FieldError[] {
  return [
    ...hoursErrors(weekly.map((entry, index) => ({ ...entry, path: `weekly.${index}`, day: String(entry.weekday) }))),
    ...hoursErrors(
      exceptions.map((entry, index) => ({
        ...('from' in entry ? entry : { from: '00:00', to: '24:00' }),
        path: `exceptions.${index}`,
        day: entry.date,
      })),
    ),
  ];
}

function hoursErrors(entries: { path: string; day: string; from: string; to: string }[]): FieldError[] {
  const errors: FieldError[] = [];
  const byDay = new Map<string, { from: string; to: string }[]>();
  for (const { path, day, from, to } of entries) {
    const earlier = byDay.get(day) ?? [];
    byDay.set(day, [...earlier, { from, to }]);
    // Times of this form sort as text.
    if (to <= from)
      errors.push({ path: `${path}.to`, message: 'must be after from; hours over midnight are two entries' });
    else if (earlier.some((other) => from < other.to && other.from < to))
      errors.push({ path, message: 'overlaps an earlier entry of its day' });
  }
  return errors;
}

/** Prices in several currencies, and options that are the same. */
export function pricingErrors({ options }: PricingBody): FieldError[] {
  const currency = options[0]?.price.currency;
  const seen = new Set<string>();
  return options.flatMap((option, index) => {
    if (option.price.currency !== currency)
      return [{ path: `options.${index}.price.currency`, message: 'must be that of the first option' }];
    const content = contentOf(option);
    if (seen.has(content)) return [{ path: `options.${index}`, message: 'is listed twice' }];
    seen.add(content);
    return [];
  });
}

/** Subjects and languages that are listed twice, in whatever case, and an education that ends before it starts. */
export function profileErrors({ subjects = [], languages = [], education = [] }: ProfilePatch): FieldError[] {
  return [
    ...repetitions('subjects', subjects),
    ...repetitions('languages', languages),
    ...education.flatMap(({ startYear, endYear }, index) =>
      startYear && endYear && endYear < startYear
        ? [{ path: `education.${index}.endYear`, message: 'must not be before startYear' }]
        : [],
    ),
  ];
}

function repetitions(path: string, names: string[]): FieldError[] {
  const keys = names.map(searchKey);
  return keys.flatMap((key, index) =>
    keys.indexOf(key) < index ? [{ path: `${path}.${index}`, message: 'is listed twice' }] : [],
  );
}

/** A certification that expires before it was issued. */
export function certificationErrors({ issuedOn, expiresOn }: CertificationBody): FieldError[] {
  return issuedOn && expiresOn && expiresOn < issuedOn
    ? [{ path: 'expiresOn', message: 'must not be before issuedOn' }]
    : [];
}

/**
 * The tutor's own spelling of `wanted`, found in any case.
 * @throws ProblemError validation_failed when it is not one of the subjects
 */
export function spelledSubject(subjects: string[], wanted: string): string {
  const spelled = subjects.find((subject) => searchKey(subject) === searchKey(wanted));
  return spelled ?? refuse([{ path: 'subject', message: 'is not one of the subjects of the tutor' }]);
}

// ── Search ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** A name as it is compared, in whatever case, width and spacing. Not left to the database, whose locale may be any. */
export function searchKey(name: string): string {
  return name.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ');
}

/** Postgres refuses lexemes above 2 KB. */
const LONGEST_WORD = 60;

/** The words of a text as they are searched: lower case, without accents. `C++` and `C#` are words. */
export function searchWords(text: string): string[] {
  const plain = text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
  const words = plain.match(/[\p{L}\p{N}]+[+#]*/gu) ?? [];
  return [...new Set(words.map((word) => [...word].slice(0, LONGEST_WORD).join('')))];
}

/** Where a page of tutors ended: the whole numbers that the sort looks at, the most significant first, and the id. */
export interface TutorPosition {
  values: number[];
  id: string;
}

/** How many values each sort compares before the id. */
const SORT_VALUES = { rating: 2, price_asc: 1, price_desc: 1, newest: 0 } as const satisfies Record<TutorSort, number>;

export function tutorCursor(sort: TutorSort, position: TutorPosition): string {
  return encode([sort, position.id, ...position.values]);
}

/** @throws ProblemError validation_failed unless `cursor` came from a list with this sort */
export function readTutorCursor(sort: TutorSort, cursor: string): TutorPosition {
  const [of, id, ...values] = decode(cursor);
  const fits = of === sort && values.every(isCount) && values.length === SORT_VALUES[sort];
  return fits && typeof id === 'string' && isUuid(id) ? { id, values } : refuseCursor();
}

export function slotCursor(start: number): string {
  return encode([start]);
}

/** @throws ProblemError validation_failed unless `cursor` came from a list of slots */
export function readSlotCursor(cursor: string): number {
  const [start] = decode(cursor);
  return isCount(start) ? start : refuseCursor();
}

function encode(parts: (string | number)[]): string {
  return Buffer.from(JSON.stringify(parts)).toString('base64url');
}

function decode(cursor: string): unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString());
    return Array.isArray(parts) ? parts : [];
  } catch {
    return [];
  }
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}

function refuseCursor(): never {
  return refuse([{ path: 'query.cursor', message: 'is not a cursor of this list' }]);
}
