import { and, asc, eq, gt, inArray, isNotNull, isNull, lt, or, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { tutorPricingOptions, tutorProfiles } from '../../../db/schema/tutoring';
import { type KeyedRequest, once } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { appendEvent } from '../../../platform/outbox';
import type { PricesRefused, PricingBody, PricingOption } from '../contract';
import { tutoringEvents } from '../events';
import { lowestHourly, priceFault, rulesUnder, withIds } from '../rules/prices';
import { appendTutorEvent, lockTutor } from './profile';
import { readAnyTutor } from './reads';

// Prices in the database, and whether they can be charged by the rules of today: stored ones may be older than those.

const options = tutorPricingOptions;
const profiles = tutorProfiles;

/** Tutors whose prices are judged in one transaction. */
const JUDGED_AT_ONCE = 200;

/**
 * Replaces the prices, which the rules have found good. Sessions that were quoted keep theirs. `settling` are the currencies of
 * SETTLEMENT_CURRENCIES. @throws ProblemError not_found
 */
export async function setPricing(
  db: Database,
  request: KeyedRequest | undefined,
  tutorId: string,
  wanted: PricingBody['options'],
  settling: readonly string[],
): Promise<PricingOption[]> {
  const reply = await once(db, request, async (tx) => {
    await lockTutor(tx, tutorId);
    const before = await readAnyTutor(tx, tutorId);
    const kept = withIds(wanted, before.pricing, uuidv7);
    await tx.delete(options).where(eq(options.tutorId, tutorId));
    const judgedUnder = rulesUnder(settling);
    const rows = kept.map(({ price, ...option }, position) => ({
      tutorId,
      position,
      judgedUnder,
      ...option,
      ...price,
    }));
    if (rows.length > 0) await tx.insert(options).values(rows);
    await tx
      .update(profiles)
      .set({ ...foundBy(wanted), pricesRefusedAt: null, pricesToldAt: null, updatedAt: sql`now()` })
      .where(eq(profiles.id, tutorId));
    await appendEvent(tx, tutoringEvents, {
      streamId: tutorId,
      type: 'TutorPricingChanged',
      data: { tutorId, participantIds: [tutorId], options: kept.map(({ label: _, ...option }) => option) },
    });
    return { status: 200, body: kept };
  });
  return reply.body;
}

/** By which price a tutor is found; null, and so unlisted, without an hourly one. */
function foundBy(wanted: readonly Pick<PricingOption, 'kind' | 'price'>[]) {
  const hourlyAmount = lowestHourly(wanted);
  const [first] = wanted;
  if (hourlyAmount === null || !first) return { hourlyAmount: null, hourlyCurrency: null };
  return { hourlyAmount, hourlyCurrency: first.price.currency };
}

/**
 * Judges stored prices by the rules of today, where that has not been done: those of before the rules, those that the code of before has
 * written, and all of them after a change of SETTLEMENT_CURRENCIES. A tutor with one that cannot be charged is unlisted until they set
 * prices that can be. @returns how many tutors were unlisted
 */
export async function judgePrices(db: Database, settling: readonly string[]): Promise<number> {
  for (let unlisted = 0; ; ) {
    const judged = await db.transaction((tx) => judgeSome(tx, settling));
    unlisted += judged.unlisted;
    if (judged.tutors < JUDGED_AT_ONCE) return unlisted;
  }
}

async function judgeSome(tx: Transaction, settling: readonly string[]): Promise<{ tutors: number; unlisted: number }> {
  const rules = rulesUnder(settling);
  const { judgedUnder } = options;
  const unjudged = await tx
    .selectDistinct({ id: options.tutorId })
    .from(options)
    .where(or(isNull(judgedUnder), lt(judgedUnder, rules), gt(judgedUnder, rules)))
    .limit(JUDGED_AT_ONCE);
  const ids = unjudged.map(({ id }) => id);
  if (ids.length === 0) return { tutors: 0, unlisted: 0 };
  const tutors = await tx
    .select({
      id: profiles.id,
      hourlyAmount: profiles.hourlyAmount,
      hourlyCurrency: profiles.hourlyCurrency,
      refusedAt: profiles.pricesRefusedAt,
    })
    .from(profiles)
    .where(inArray(profiles.id, ids))
    .orderBy(asc(profiles.id))
    .for('update');
  await tx.update(options).set({ judgedUnder: rules }).where(inArray(options.tutorId, ids));
  const stored = await optionsOf(tx, ids);
  let unlisted = 0;
  for (const { id, ...before } of tutors) {
    const prices = stored(id);
    if (prices.some((option) => priceFault(option, settling))) {
      if (before.refusedAt !== null && before.hourlyAmount === null) continue;
      await unlist(tx, id);
      unlisted++;
      continue;
    }
    const found = foundBy(prices);
    const isKnown = found.hourlyAmount === before.hourlyAmount && found.hourlyCurrency === before.hourlyCurrency;
    if (isKnown && before.refusedAt === null) continue;
    await tx
      .update(profiles)
      .set({ ...found, pricesRefusedAt: null, pricesToldAt: null, updatedAt: sql`now()` })
      .where(eq(profiles.id, id));
  }
  return { tutors: ids.length, unlisted };
}

async function unlist(tx: Transaction, tutorId: string): Promise<void> {
  await tx
    .update(profiles)
    .set({
      hourlyAmount: null,
      hourlyCurrency: null,
      // In milliseconds, since that is what names it to whom it is told.
      pricesRefusedAt: sql`date_trunc('milliseconds', now())`,
      pricesToldAt: null,
      updatedAt: sql`now()`,
    })
    .where(eq(profiles.id, tutorId));
  await appendTutorEvent(tx, 'TutorUnlisted', tutorId);
}

/** The prices of some tutors, each in their order. */
async function optionsOf(
  handle: Database | Transaction,
  tutorIds: string[],
): Promise<(tutorId: string) => PricingOption[]> {
  const rows = await handle
    .select()
    .from(options)
    .where(inArray(options.tutorId, tutorIds))
    .orderBy(asc(options.tutorId), asc(options.position));
  return (tutorId) =>
    rows
      .filter((row) => row.tutorId === tutorId)
      .map(({ id, kind, amount, currency }) => ({ id, kind, price: { amount, currency } }));
}

/** Tutors who were unlisted and do not know it yet, with the price that cannot be charged; those first who wait longest. */
export async function untoldRefusals(
  db: Database,
  settling: readonly string[],
  atMost: number,
): Promise<PricesRefused[]> {
  const untold = await db
    .select({ tutorId: profiles.id, refusedAt: profiles.pricesRefusedAt })
    .from(profiles)
    .where(and(isNotNull(profiles.pricesRefusedAt), isNull(profiles.pricesToldAt)))
    .orderBy(asc(profiles.pricesRefusedAt))
    .limit(atMost);
  const stored = await optionsOf(
    db,
    untold.map(({ tutorId }) => tutorId),
  );
  return untold.flatMap(({ tutorId, refusedAt }) => {
    for (const option of stored(tutorId)) {
      const fault = priceFault(option, settling);
      if (fault && refusedAt)
        return [{ tutorId, refusedAt: refusedAt.toISOString(), price: option.price, because: fault.field }];
    }
    return [];
  });
}

/** Notes that a tutor has been told of this refusal of their prices. Harmless twice, and after they have set others. */
export async function markPricesTold(db: Database, tutorId: string, refusedAt: string): Promise<void> {
  await db
    .update(profiles)
    .set({ pricesToldAt: sql`now()` })
    .where(and(eq(profiles.id, tutorId), eq(profiles.pricesRefusedAt, new Date(refusedAt))));
}
