import { type Money, scaleUp, subtract } from '../../../kernel/money';
import type { Party } from '../../../kernel/session';
import { HOUR } from '../../../kernel/time';

/** The shares of a student's cancel, by the time left to the start of the session when the request arrived. */
export const FULL_UNTIL_MS = 24 * HOUR;
const HALF_UNTIL_MS = 4 * HOUR;

/**
 * RefundCalculator of the domain model. A student who cancels at least 24 hours ahead gets everything back, at least 4
 * hours ahead half of it, later nothing; a cancel by the tutor or an operator gives everything back. The share is of
 * what is left of the captured amount, rounded up to the minor unit.
 */
export function refundFor(cancel: {
  by: Party;
  captured: Money;
  /** Already given back, by an earlier refund. */
  refunded: Money;
  startsAt: string;
  requestedAt: string;
}): { refund: Money; retained: Money } {
  const left = subtract(cancel.captured, cancel.refunded);
  const percent = cancel.by === 'student' ? studentPercent(cancel.startsAt, cancel.requestedAt) : 100;
  const refund = { amount: scaleUp(left.amount, percent, 100), currency: left.currency };
  return { refund, retained: subtract(left, refund) };
}

function studentPercent(startsAt: string, requestedAt: string): number {
  const ahead = Date.parse(startsAt) - Date.parse(requestedAt);
  if (ahead >= FULL_UNTIL_MS) return 100;
  return ahead >= HALF_UNTIL_MS ? 50 : 0;
}
