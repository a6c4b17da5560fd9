import { and, desc, eq, lt } from 'drizzle-orm';
import { z } from 'zod';
import type { Database, Transaction } from '../db/client';
import { ACT_SUBJECTS, type ActFacts, adminActs } from '../db/schema/platform';
import { notValid } from '../kernel/errors';
import { listCursor } from './cursor';
import { endpoint } from './endpoint';
import { uuidv7 } from './ids';
import { InstantOut, PageQuery, pageOf, text, Uuid } from './schemas';

// What administrators did, in the database of the context in which they did it.

const SHORTEST_REASON = 10;

/** Why an administrator does something: whoever asks later is to understand it. */
export const ActReason = text(SHORTEST_REASON, 1_000);

export interface AdminAct {
  /** Null: an operator who holds the database. */
  adminId: string | null;
  /** In the past: `role_changed`. */
  act: string;
  subject: { type: (typeof ACT_SUBJECTS)[number]; id: string };
  reason: string;
  before: ActFacts;
  /** What a saga carries out is what was asked for. */
  after: ActFacts;
}

/** Notes what an administrator does, in the transaction that does or begins it. @throws Error where the reason is too short */
export async function recordAct(tx: Transaction, { subject, ...act }: AdminAct): Promise<void> {
  await tx.insert(adminActs).values({ id: uuidv7(), subjectType: subject.type, subjectId: subject.id, ...act });
}

/**
 * For operations that people and administrators share, whose reason may be short as long as it is a person's.
 * @throws ProblemError validation_failed
 */
export function requireActReason(reason: string): void {
  if ([...reason].length >= SHORTEST_REASON) return;
  throw notValid([{ path: 'body.reason', message: `must have ${SHORTEST_REASON} characters at least` }]);
}

const Facts = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]));

export const ShownAct = z
  .strictObject({
    id: Uuid,
    adminId: Uuid.nullable().meta({ description: 'null: an operator who holds the database' }),
    act: z.string(),
    subject: z.strictObject({ type: z.enum(ACT_SUBJECTS), id: Uuid }),
    reason: z.string(),
    before: Facts,
    after: Facts.meta({ description: 'What a saga carries out is what was asked for' }),
    occurredAt: InstantOut,
  })
  .meta({ id: 'AdminAct' });

export const ActsQuery = PageQuery.extend({ subjectId: Uuid.optional(), adminId: Uuid.optional() });

/** The operation that lists the acts of a context. */
export function actsOperation<const Path extends string, const Id extends string>(path: Path, operationId: Id) {
  return endpoint({
    method: 'get',
    path,
    operationId,
    summary: 'What administrators did here, the newest first',
    access: ['admin'],
    query: ActsQuery,
    replies: { 200: pageOf(ShownAct).meta({ id: 'AdminActPage' }) },
  });
}

const afterAct = listCursor(Uuid);

/** A page of acts, the newest first. @throws ProblemError validation_failed when the cursor is not one of this list */
export async function listActs(db: Database, { subjectId, adminId, cursor, limit }: z.output<typeof ActsQuery>) {
  const rows = await db
    .select()
    .from(adminActs)
    .where(
      and(
        subjectId === undefined ? undefined : eq(adminActs.subjectId, subjectId),
        adminId === undefined ? undefined : eq(adminActs.adminId, adminId),
        cursor === undefined ? undefined : lt(adminActs.id, afterAct.read(cursor)),
      ),
    )
    .orderBy(desc(adminActs.id))
    .limit(limit + 1);
  const items = rows.slice(0, limit).map(({ subjectType, subjectId: id, occurredAt, ...act }) => ({
    ...act,
    subject: { type: subjectType, id },
    occurredAt: occurredAt.toISOString(),
  }));
  const last = rows.length > limit ? items.at(-1) : undefined;
  return { items, nextCursor: last ? afterAct.write(last.id) : null };
}
