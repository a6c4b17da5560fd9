import type { Reply } from './service';

/** A reply in short: `201`, or `409 conflict`. */
export const outcomeOf = ({ status, body }: Reply) => `${status}${body?.code ? ` ${body.code}` : ''}`;

/** How often each outcome came. */
export function tally(replies: Reply[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const outcome of replies.map(outcomeOf)) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
}
