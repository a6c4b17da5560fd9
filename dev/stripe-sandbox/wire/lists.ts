import type { Collection } from '../memory/unit-of-work';

interface Range {
  gt?: number;
  gte?: number;
  lt?: number;
  lte?: number;
}

interface PageParams {
  limit?: number;
  starting_after?: string;
  ending_before?: string;
  created?: number | Range;
}

interface Selection<T> {
  /** Walks only objects with this link, such as `customer:cus_…`. */
  link?: string | undefined;
  keep?: (value: T) => boolean;
}

/** Stripe's page size unless `limit` says otherwise. See https://docs.stripe.com/api/pagination */
const DEFAULT_LIMIT = 10;

/**
 * One page of a list, newest first.
 * @throws StripeProblem `resource_missing` if the cursor is no object of the list's kind.
 */
export function page<T extends { id: string }>(
  collection: Collection<T>,
  url: string,
  params: PageParams,
  { link, keep = () => true }: Selection<T> = {},
) {
  const { limit = DEFAULT_LIMIT, starting_after: startingAfter, ending_before: endingBefore } = params;
  const found: T[] = [];
  for (const value of collection.list({ link, startingAfter, endingBefore })) {
    if (!keep(value) || !createdWithin(value, params.created)) continue;
    found.push(value);
    if (found.length > limit) break;
  }
  const data = found.slice(0, limit);
  return {
    object: 'list' as const,
    data: endingBefore === undefined ? data : data.reverse(),
    has_more: found.length > limit,
    url,
  };
}

function createdWithin(value: object, range: number | Range | undefined): boolean {
  return isWithin('created' in value && typeof value.created === 'number' ? value.created : 0, range);
}

/** Whether a time is the one asked for, or in the range asked for; both in seconds. */
export function isWithin(time: number, range: number | Range | undefined): boolean {
  if (range === undefined) return true;
  if (typeof range === 'number') return time === range;
  const { gt = -Infinity, gte = -Infinity, lt = Infinity, lte = Infinity } = range;
  return time > gt && time >= gte && time < lt && time <= lte;
}
