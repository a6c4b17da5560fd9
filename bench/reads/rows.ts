import type { Sql, TransactionSql } from 'postgres';
import type { Reader } from './stage';

// One formula per number says who, when and with whom, so that both databases agree without asking each other.

/** How much of everything there is. */
export interface Size {
  bookings: number;
  tutors: number;
  students: number;
}

/** A hundred bookings for each tutor, fifty for each student. */
export const sizeOf = (bookings: number): Size => ({
  bookings,
  tutors: Math.ceil(bookings / 100),
  students: Math.ceil(bookings / 100) * 2,
});

/** Bookings fill 50 weeks. The first 43 are over, seven lie ahead. */
const WEEKS_PAST = 43;

const SUBJECTS =
  'Mathematics,Physics,Chemistry,Biology,English,German,French,Spanish,Italian,Latin,History,Geography,Economics,' +
  'Statistics,Programming,Python,Java,C++,C#,Databases,Algorithms,Piano,Guitar,Violin,Singing,Drawing,Painting,Chess,' +
  'Philosophy,Psychology,Law,Accounting,Marketing,Writing,Literature,Astronomy,Geology,Robotics,Calculus,Algebra';
const LANGUAGES = 'en,de,fr,es,it,pt,nl,pl,tr,ar,zh,ja';
const ZONES =
  'Europe/Berlin,Europe/London,America/New_York,America/Los_Angeles,Asia/Tokyo,Australia/Sydney,Asia/Kolkata,America/Sao_Paulo';
const NAMES = 'Ada,Grace,Emmy,Alan,Kurt,Sofia,Carl,Leonhard,Mary,Noam,Rosa,Ivan,Mei,Amir,Lena,Paul';
const FAMILIES =
  'Lindgren,Okafor,Moreau,Santos,Keller,Novak,Tanaka,Haddad,Rossi,Byrne,Fischer,Silva,Kaya,Nowak,Meyer,Ali';
const WORDS =
  'patient,structured,friendly,exam,preparation,university,school,beginners,advanced,weekly,homework,practice,project,' +
  'online,certified,experienced,bilingual,motivating,research,concepts,fundamentals,theory,grammar,conversation';
// Names of places have two halves, so that there are far more words than 24. While its statistics hold fewer than 100
// words, Postgres only guesses how many rows the beginning of a word finds (ts_selfuncs.c), and then reads every
// tutor to look for a word that nobody wrote.
const BEGINNINGS =
  'Alt,Berg,Birk,Brunn,Buch,Dorn,Eich,Erlen,Falk,Frei,Gold,Grün,Hasel,Heil,Hoch,Kalt,Kirch,Königs,Linden,Lichten,' +
  'Marien,Mühl,Neu,Ober,Rosen,Roth,Salz,Schön,Schwarz,Silber,Sonnen,Stein,Tannen,Unter,Wald,Weiden,Weiss,Wild,Winter,Wolf';
const ENDINGS =
  'au,bach,berg,brück,brunn,burg,dorf,eck,feld,furt,grund,hagen,hain,haus,heim,hof,holm,horst,kirchen,land,lohe,mark,' +
  'moor,mühle,rode,see,stadt,stein,tal,thal,wald,weiler,werder,wiesen,winkel';

/** Things made of `n`, as SQL. `pick` chooses evenly; the factor keeps two lists from going in step. */
const pick = (list: string, n: string, factor = 1) =>
  `(string_to_array('${list}', ','))[1 + (${n}) * ${factor} % ${list.split(',').length}]`;

/** Tutor `t` (0 …) has a fixed id, whose time part puts the sign-ups a minute apart. */
const tutorId = (t: string) => madeId(`1700000000000 + (${t})::bigint * 60000`, `'7' || lpad(to_hex(${t}), 3, '0')`, t);

// Facts of tutor `t`, in SQL. A fact that stands in several tables has to be the same in all of them.
const HOURLY = '1500 + t * 37 % 80 * 100';
const RATING_AVERAGE = 'case when t % 10 = 0 then 0 else 2.5 + (t * 13 % 251)::numeric / 100 end';
const RATING_COUNT = 'case when t % 10 = 0 then 0 else 1 + t * 17 % 300 end';

/** A UUIDv7 of milliseconds and a number. */
function madeId(milliseconds: string, group: string, n: string): string {
  const time = `lpad(to_hex((${milliseconds})::bigint), 12, '0')`;
  return `(substr(${time}, 1, 8) || '-' || substr(${time}, 9, 4) || '-' || substr(${group}, 1, 1) || lpad(to_hex((${n}) % 4096), 3, '0')
    || '-8' || lpad(to_hex((${n}) % 4093), 3, '0') || '-' || lpad(to_hex((${n})::bigint * 7919), 12, '0'))::uuid`;
}

/** Booking `n`: who, whom, when. The first students are the readers. */
function bookingSource({ bookings, tutors, students }: Size, readers: readonly Reader[], now: Date): string {
  const ids = readers.map(({ id }) => `'${id}'`).join(',');
  return `
    select n, s, t, week, start,
      ${madeId(`extract(epoch from start) * 1000 - 604800000`, `'7'`, 'n')} as id,
      case when s < ${readers.length} then (array[${ids}]::uuid[])[s + 1] else ${madeId('1690000000000', `'7'`, 's')} end as student_id,
      ${tutorId('t')} as tutor_id,
      case when week < ${WEEKS_PAST}
        then (array['completed','completed','completed','completed','completed','completed','completed','completed','cancelled','refunded'])[1 + n % 10]
        else (array['confirmed','confirmed','confirmed','confirmed','confirmed','confirmed','confirmed','confirmed','pending','cancelled'])[1 + n % 10]
      end as status
    from (
      select n, n % ${students} as s, n / ${students} as week,
        (n % ${students} + 7 * (n / ${students})) % ${tutors} as t,
        date_trunc('week', '${now.toISOString()}'::timestamptz) + (n / ${students} - ${WEEKS_PAST - 1}) * interval '7 days'
          + (n % ${students}) % 5 * interval '1 day' + (case when n % ${students} < ${tutors} then 10 else 12 end) * interval '1 hour' as start
      from generate_series(0, ${bookings - 1}) n
    ) numbers`;
}

type Say = (line: string) => void;

/** Tutors with profile, subjects, hours and prices, and the slots of bookings that keep theirs. */
export async function seedTutoring(
  sql: Sql,
  size: Size,
  readers: readonly Reader[],
  now: Date,
  say: Say,
): Promise<void> {
  const { tutors } = size;
  const t = 't';
  const subject = (k: number) => pick(SUBJECTS, `t + ${k} * (1 + t % 11)`, 7);
  const words = Array.from({ length: 12 }, (_, index) => pick(WORDS, `t + ${index * 5} + t / 24`, 1)).join(
    ` || ' ' || `,
  );
  const place = (factor: number) => `${pick(BEGINNINGS, t, factor)} || ${pick(ENDINGS, 't / 40', factor)}`;
  const biography = `${words} || ' ' || ${place(3)} || ' ' || ${place(11)}`;
  const name = `${pick(NAMES, t)} || ' ' || ${pick(FAMILIES, 't / 16')}`;
  const three = [subject(0), subject(1), subject(2)];
  const subjects = three.join(` || ' ' || `);
  const all = `${name} || ' ' || ${biography} || ' ' || ${subjects}`;
  const languages = `(case when t % 3 = 0 then array[${pick(LANGUAGES, t)}] else array['en', ${pick('de,fr,es,it,pt,nl', t)}] end)`;
  const parts = ['availability', 'pricing_options', 'ratings', 'profiles'].map((part) => `tutor_${part}`);
  const tables = ['slots', 'certifications', 'education', ...parts];
  await refilled(sql, tables, async (tx) => {
    await tx.unsafe(`
      insert into tutor_profiles (id, display_name, headline, biography, languages, language_keys, subjects, subject_keys, time_zone, instant_booking,
        search, has_hours, hourly_amount, hourly_currency, completed_at, verified_at, rating_average, rating_count)
      select ${tutorId(t)}, ${name}, ${subject(0)} || ' with ' || ${pick(NAMES, t)}, ${biography}, ${languages}, ${languages},
        array[${three.join()}], array[${three.map((name) => `lower(${name})`).join()}],
        ${pick(ZONES, t)}, t % 2 = 0, array_to_tsvector(string_to_array(lower(${all}), ' ')), true, ${HOURLY}, 'EUR', now(),
        case when t % 3 = 0 then now() end,
        ${RATING_AVERAGE}, ${RATING_COUNT}
      from generate_series(0, ${tutors - 1}) t`);
    // Without an index the trigger that carries ratings to the profiles would search for each rating.
    await tx`alter table tutor_ratings disable trigger user`;
    await tx.unsafe(`
      insert into tutor_ratings (tutor_id, average, count)
      select ${tutorId(t)}, ${RATING_AVERAGE}, ${RATING_COUNT}
      from generate_series(0, ${tutors - 1}) t`);
    await tx`alter table tutor_ratings enable trigger user`;
    await tx.unsafe(`
      insert into tutor_availability (tutor_id, position, weekday, date, from_minute, to_minute)
      select ${tutorId(t)}, d, d / 2 + 1, null, case d % 2 when 0 then 540 else 840 end, case d % 2 when 0 then 780 else 1140 end
      from generate_series(0, ${tutors - 1}) t, generate_series(0, 9) d
      union all
      select ${tutorId(t)}, 10 + e, null, '${now.toISOString().slice(0, 10)}'::date + (t % 20 + e * 9)::int, case e when 0 then null else 600 end, case e when 0 then null else 900 end
      from generate_series(0, ${tutors - 1}) t, generate_series(0, 2) e`);
    await tx.unsafe(`
      insert into tutor_pricing_options (id, tutor_id, position, kind, amount, currency, sessions)
      select uuidv7(), ${tutorId(t)}, p, (array['hourly', 'package'])[p + 1], case p when 0 then ${HOURLY} else 40000 end, 'EUR', case p when 1 then 10 end
      from generate_series(0, ${tutors - 1}) t, generate_series(0, 1) p`);
    await tx.unsafe(`
      insert into education (tutor_id, position, institution, degree, start_year, end_year)
      select ${tutorId(t)}, 0, 'University of ' || ${pick(FAMILIES, t)}, ${subject(0)}, 2005 + t % 10, 2009 + t % 10
      from generate_series(0, ${tutors - 1}) t`);
    await tx.unsafe(`
      insert into certifications (id, tutor_id, name, issuer)
      select uuidv7(), ${tutorId(t)}, 'Teaching certificate', 'Chamber of ' || ${pick(FAMILIES, t)}
      from generate_series(0, ${tutors - 1}, 2) t`);
    say(`${tutors} tutors`);
    await tx.unsafe(`
      insert into slots (booking_id, tutor_id, during, state)
      select id, tutor_id, tstzrange(start, start + interval '1 hour'), 'booked' from (${bookingSource(size, readers, now)}) b
      where status <> 'cancelled'`);
    say('their slots');
  });
  say('tutoring is indexed');
}

/** Bookings in every status with request, snapshot, payment and the events of their timeline. */
export async function seedBooking(
  sql: Sql,
  size: Size,
  readers: readonly Reader[],
  now: Date,
  say: Say,
): Promise<void> {
  const name = (n: string) => `${pick(NAMES, n)} || ' ' || ${pick(FAMILIES, `${n} / 16`)}`;
  const tables = [
    'refunds',
    'payments',
    'booking_notes',
    'booking_snapshots',
    'bookings',
    'booking_requests',
    'events',
  ];
  await refilled(sql, tables, async (tx) => {
    await tx.unsafe(`create temporary table seeded as ${bookingSource(size, readers, now)}`);
    say('bookings are numbered');
    const inserts = [
      `insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes, settled_at)
        select id, student_id, tutor_id, ${pick(SUBJECTS, 't', 7)}, start, 60, start - interval '7 days' from seeded`,
      `insert into bookings (id, student_id, tutor_id, status, status_reason, waiting_until, subject, starts_at, ends_at, duration_minutes,
          meeting_url, instant_booking, cancelled_by, note_id)
        select id, student_id, tutor_id, status,
          case status when 'completed' then 'completed_by_time' when 'cancelled' then 'cancelled_by_student' when 'refunded' then 'cancelled_by_tutor'
            when 'pending' then 'awaiting_tutor' end,
          case status when 'pending' then start end, ${pick(SUBJECTS, 't', 7)}, start, start + interval '1 hour', 60,
          'https://meet.example/' || n, t % 2 = 0, case status when 'cancelled' then 'student' when 'refunded' then 'tutor' end,
          case status when 'cancelled' then ${madeId('1690000000000', `'7'`, 'n')} end
        from seeded`,
      `insert into booking_snapshots (booking_id, student_name, student_time_zone, student_locale, tutor_name,
          tutor_time_zone, tutor_locale, price, currency)
        select id, ${name('s')}, 'Europe/Berlin', 'en', ${name('t')},
          ${pick(ZONES, 't')}, 'en', ${HOURLY}, 'EUR' from seeded`,
      `insert into payments (id, booking_id, version, status, amount, captured, refunded, currency)
        select uuidv7(), id, 2, case status when 'pending' then 'authorized' when 'cancelled' then 'voided' when 'refunded' then 'refunded' else 'captured' end,
          ${HOURLY}, case when status in ('completed', 'confirmed', 'refunded') then ${HOURLY} else 0 end,
          case status when 'refunded' then ${HOURLY} else 0 end, 'EUR' from seeded`,
      `insert into booking_notes (id, booking_id, kind, author_id, text)
        select ${madeId('1690000000000', `'7'`, 'n')}, id, 'cancel', student_id, 'Something else came up' from seeded where status = 'cancelled'`,
      `insert into events (event_id, stream_id, version, type, data, occurred_at, published_at)
        select uuidv7(), id::text, v, (array['BookingRequested', 'BookingConfirmed'])[v],
          jsonb_build_object('bookingId', id, 'actor', (array['student', 'system'])[v]), start - interval '7 days', now()
        from seeded, generate_series(1, 2) v`,
    ];
    for (const insert of inserts) {
      await tx.unsafe(insert);
      say(`${/into (\w+)/.exec(insert)?.[1]} are in`);
    }
    await tx`drop table seeded`;
  });
  say('booking is indexed');
}

/** Makes the statistics, and the visibility map that index-only scans need, as a database in use has them. */
export async function settle(sql: Sql): Promise<void> {
  await sql`vacuum analyze`;
}

/**
 * Empties `tables` and loads them without their indexes and constraints, which is many times faster. Indexes and
 * constraints come back as they were defined. All of it is one transaction: a load that fails changes nothing.
 */
async function refilled(
  sql: Sql,
  tables: readonly string[],
  load: (tx: TransactionSql) => Promise<void>,
): Promise<void> {
  await sql.begin(async (tx) => {
    await tx`set local maintenance_work_mem = '256MB'`;
    await tx`set local synchronous_commit = off`;
    const constraints = await tx<{ table: string; name: string; definition: string; foreign: boolean }[]>`
      select conrelid::regclass::text as table, quote_ident(conname) as name, pg_get_constraintdef(oid) as definition, contype = 'f' as foreign
      from pg_constraint where conrelid::regclass::text = any(${tables}::text[]) and contype in ('f', 'x', 'u', 'p') order by contype = 'f' desc`;
    for (const { table, name } of constraints) await tx.unsafe(`alter table ${table} drop constraint ${name}`);
    const indexes = await tx<{ name: string; definition: string }[]>`
      select quote_ident(indexname) as name, indexdef as definition from pg_indexes
      where schemaname = 'public' and tablename = any(${tables}::text[])`;
    for (const { name } of indexes) await tx.unsafe(`drop index ${name}`);
    await tx.unsafe(`truncate ${tables.join(', ')}`);
    await load(tx);
    for (const { definition } of indexes) await tx.unsafe(definition);
    for (const { table, name, definition } of constraints.toReversed()) {
      await tx.unsafe(`alter table ${table} add constraint ${name} ${definition}`);
    }
  });
}
