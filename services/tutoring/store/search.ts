import { and, type SQL, sql } from 'drizzle-orm';
import { z } from 'zod';
import { builtOnce, type Database } from '../../../db/client';
import { tutorProfiles } from '../../../db/schema/tutoring';
import { isUuid } from '../../../kernel/ids';
import { remember } from '../../../kernel/remember';
import { type Cursor, listCursor } from '../../../platform/cursor';
import { Uuid } from '../../../platform/schemas';
import type { Tutor, TutorQuery, TutorSort } from '../contract';
import { searchKey, searchWords } from '../rules/search';
import { profileId, toTutor, tutorColumns } from './reads';

const profiles = tutorProfiles;
const { placeholder } = sql;

/**
 * The version of the profile's row: the transaction that wrote the row (PostgreSQL, System Columns). Every change of a
 * tutor's data also writes this row, so what was read with a version is right for as long as the row has that version.
 */
const rowVersion = sql<string>`${profiles}.xmin::text`;

const tutorsById = builtOnce((db: Database) =>
  db
    .select({ ...tutorColumns, version: rowVersion })
    .from(profiles)
    .where(sql`${profileId} = any(${placeholder('ids')}::uuid[])`)
    .prepare('tutors_by_id'),
);

/** Tutors that are kept in memory for searches, at some 2 KB each. The first pages of what people look for are a few hundred. */
const MOST_KEPT = 1_000;
type Kept = Map<string, { version: string; tutor: Tutor }>;
const keptTutors = new WeakMap<Database, Kept>();

/**
 * These tutors in their order, as they are now. A kept tutor is used only while its row has the same version; the others are
 * read. Gathering what hangs on a profile costs more than finding a page.
 */
async function currentTutors(db: Database, wanted: readonly { id: string; version: string }[]): Promise<Tutor[]> {
  const kept: Kept = keptTutors.get(db) ?? new Map();
  keptTutors.set(db, kept);
  const found = new Map<string, Tutor>();
  for (const { id, version } of wanted) {
    const known = kept.get(id);
    if (known?.version === version) found.set(id, known.tutor);
  }
  const ids = wanted.flatMap(({ id }) => (found.has(id) ? [] : [id]));
  if (ids.length > 0) {
    for (const { version, ...row } of await tutorsById(db, {}).execute({ ids })) {
      const tutor = toTutor(row);
      found.set(row.id, tutor);
      remember(kept, row.id, { version, tutor }, MOST_KEPT);
    }
  }
  return wanted.flatMap(({ id }) => found.get(id) ?? []);
}

interface Order {
  by: SQL;
  /** What comes after a position, compared as one row so that an index can start there. */
  after: SQL;
  valuesOf(row: Listed): number[];
}

const { ratingAverage: average, ratingCount: count, hourlyAmount, id } = profiles;
const [first, second, lastId] = [placeholder('first'), placeholder('second'), sql`${placeholder('id')}::uuid`];

// Every listed tutor has an hourly price.
const listedPrice = (row: Listed) => [Number(row.hourlyAmount)];

/** Every order ends with the id, so that tutors who are equal otherwise stay in place from page to page. */
const ORDERS: Record<TutorSort, Order> = {
  rating: {
    by: sql`${average} desc, ${count} desc, ${id} desc`,
    // Averages have two digits; in a cursor they are whole hundredths.
    after: sql`(${average}, ${count}, ${id}) < (${first}::numeric / 100, ${second}::bigint, ${lastId})`,
    valuesOf: (row) => [Math.round(row.average * 100), row.count],
  },
  // Of one currency, which the filters name: amounts of different ones cannot be compared.
  price_asc: {
    by: sql`${hourlyAmount}, ${id}`,
    after: sql`(${hourlyAmount}, ${id}) > (${first}::bigint, ${lastId})`,
    valuesOf: listedPrice,
  },
  price_desc: {
    by: sql`${hourlyAmount} desc, ${id} desc`,
    after: sql`(${hourlyAmount}, ${id}) < (${first}::bigint, ${lastId})`,
    valuesOf: listedPrice,
  },
  newest: {
    // The id is a UUIDv7: its order is that of sign-ups.
    by: sql`${id} desc`,
    after: sql`${id} < ${lastId}`,
    valuesOf: () => [],
  },
};

/** What the tutors of a page may have to meet, by the name of the value that it is compared with. */
const FILTERS: Record<string, SQL> = {
  words: sql`${profiles.search} @@ ${placeholder('words')}::tsquery`,
  subject: sql`${profiles.subjectKeys} @> array[${placeholder('subject')}]::text[]`,
  language: sql`${profiles.languageKeys} @> array[${placeholder('language')}]::text[]`,
  minRating: sql`${average} >= ${placeholder('minRating')}::numeric`,
  currency: sql`${profiles.hourlyCurrency} = ${placeholder('currency')}`,
  maxPrice: sql`${hourlyAmount} <= ${placeholder('maxPrice')}::bigint`,
};

/** What a page is made of before its tutors are looked up. */
const listedColumns = { id, version: rowVersion, average, count, hourlyAmount };

const listed = builtOnce((db: Database, shape: { sort: TutorSort; paged: boolean; filters: string[] }) => {
  const { by, after } = ORDERS[shape.sort];
  return db
    .select(listedColumns)
    .from(profiles)
    .where(and(profiles.listed, shape.paged ? after : undefined, ...shape.filters.map((name) => FILTERS[name])))
    .orderBy(by)
    .limit(placeholder('rows'))
    .prepare('listed_tutors');
});

type Listed = Awaited<ReturnType<ReturnType<typeof listed>['execute']>>[number];

/**
 * Where a page of tutors ended: the sort, the id of the last tutor, and the whole numbers by which the sort compares tutors
 * before their ids, the most significant first.
 */
type TutorPosition = [sort: TutorSort, id: string, ...values: number[]];

const Count = z.int().min(0);

/** The cursor of lists by `sort`, which compares `values` numbers before the id. */
function cursorBy(sort: TutorSort, values: number): Cursor<TutorPosition> {
  // `Uuid` accepts the nil id too, which no tutor has.
  return listCursor(
    z.tuple([z.literal(sort), Uuid.refine(isUuid)], Count).refine(([, , ...found]) => found.length === values),
  );
}

/** The cursors of lists of tutors: each is of one sort only. */
export const TUTOR_CURSORS: Record<TutorSort, Cursor<TutorPosition>> = {
  rating: cursorBy('rating', 2),
  price_asc: cursorBy('price_asc', 1),
  price_desc: cursorBy('price_desc', 1),
  newest: cursorBy('newest', 0),
};

/**
 * One page of the tutors that can be booked and meet every filter.
 * @throws ProblemError validation_failed for a cursor of another list or sort
 */
export async function listTutors(
  db: Database,
  query: TutorQuery,
): Promise<{ items: Tutor[]; nextCursor: string | null }> {
  const { sort, limit, q, subject, language, minRating, currency, maxPrice } = query;
  const cursor = TUTOR_CURSORS[sort];
  const position = query.cursor === undefined ? undefined : cursor.read(query.cursor);
  const words = q ? searchWords(q) : undefined;
  // A question without any word, such as `?!`, finds nobody.
  if (words?.length === 0) return { items: [], nextCursor: null };
  const values = {
    words: words && beginning(words),
    subject: subject === undefined ? undefined : searchKey(subject),
    language: language === undefined ? undefined : searchKey(language),
    minRating,
    currency,
    maxPrice,
  };
  const filters = Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  const rows = await listed(db, { sort, paged: position !== undefined, filters }).execute({
    ...values,
    rows: limit + 1,
    id: position?.[1],
    first: position?.[2],
    second: position?.[3],
  });
  const kept = rows.slice(0, limit);
  const last = kept.at(-1);
  const more = rows.length > kept.length && last;
  return {
    items: await currentTutors(db, kept),
    nextCursor: more ? cursor.write([sort, last.id, ...ORDERS[sort].valuesOf(last)]) : null,
  };
}

/** A tsquery: every word begins an indexed word of the tutor's. Words are letters, digits, + and # only, so the quotes hold. */
function beginning(words: string[]): string {
  return words.map((word) => `'${word}':*`).join(' & ');
}
