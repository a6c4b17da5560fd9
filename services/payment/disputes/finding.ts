import { DAY } from '../../../kernel/time';
import { asProblem } from '../../../platform/problem';
import type { Logger } from '../../../platform/telemetry';
import type { Sagas } from '../../../platform/temporal';
import type { DisputesFound, FindDisputes } from '../contract';
import type { StripeDispute } from '../stripe/answers';
import type { Till } from '../till';
import { refreshDisputed } from './dispute';
import { wakeDispute } from './sagas';
import { type DisputeRow, knownDisputes } from './store/disputes';

/** A bank decides within three months, and one that was lost can be won late (docs.stripe.com/disputes/how-disputes-work). */
const LISTED_FOR_MS = 180 * DAY;

/**
 * Asks Stripe which disputes there are, a page at a time, and records those that are news: a webhook may have been lost. Each that is not
 * over, or whose end nobody has shown, has its saga after it. One that cannot be recorded is logged and counted, and holds up none of the others.
 * @throws ProblemError rate_limited, upstream_unavailable: call again; what was found by then is recorded
 */
export async function findDisputes(
  till: Till,
  { sagas, logger }: { sagas: Sagas; logger: Logger },
  { after }: FindDisputes,
): Promise<DisputesFound> {
  const { items, hasMore } = await till.stripe.listDisputes(new Date(Date.now() - LISTED_FOR_MS), after);
  const known = await knownDisputes(
    till.db,
    items.map(({ id }) => id),
  );
  const found = { found: 0, failed: 0 };
  for (const said of items) {
    if (!isToSee(known.get(said.id), said)) continue;
    try {
      for (const one of await refreshDisputed(till, said.intentId)) {
        if (one.isNews) found.found += 1;
        await wakeDispute(till, sagas, one);
      }
    } catch (error) {
      if (asProblem(error).code !== 'internal') throw error;
      logger.error({ err: error, stripeDisputeId: said.id }, 'a dispute could not be recorded');
      found.failed += 1;
    }
  }
  return { ...found, seen: items.length, next: hasMore ? (items.at(-1)?.id ?? null) : null };
}

/** Whether what Stripe lists of a dispute is news, or its saga has yet to show it. */
function isToSee(known: DisputeRow | undefined, { status, movements }: StripeDispute): boolean {
  const withdrawn = movements.reduce((sum, { amount }) => sum - amount, 0);
  if (!known || known.status !== status || known.withdrawn !== withdrawn) return true;
  return known.decidedAt === null || known.closedVersion !== known.version;
}
