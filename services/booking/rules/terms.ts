import { type Money, scaleUp, subtract } from '../../../kernel/money';
import type { Party } from '../../../kernel/session';
import { DAY, HOUR, MINUTE } from '../../../kernel/time';

/** A student moves or cancels a session for nothing until this long before its start. */
export const FREE_UNTIL_MS = DAY;
/** A student who cancels at least this long before the start gets half of it back. */
const HALF_UNTIL_MS = 4 * HOUR;
/** So long after asking a student may think better of it, unless the session is nearer than the second. */
const SECOND_THOUGHTS_MS = 15 * MINUTE;
const SECOND_THOUGHTS_UNTIL_MS = HOUR;
/** So long a student may turn down the time that the tutor moved the session to. */
const ANSWER_TO_A_MOVE_MS = DAY;

/** A cancel, with what its share goes by. Times are ISO 8601. */
export interface Cancel {
  by: Party;
  /** When the request arrived. */
  requestedAt: string;
  startsAt: string;
  /** When the student asked for the booking. */
  askedAt: string;
  /** When the tutor moved the session to its time; null when it is the time that the student chose. */
  movedByTutorAt: string | null;
}

/**
 * RefundCalculator of the domain model: how many per cent of what is left of the captured amount are given back. A cancel by the tutor or
 * an operator gives everything back. A student gets everything at least 24 hours before the start, half at least 4 hours before it, and
 * later nothing; everything also soon after asking, and when it was the tutor who chose the time.
 */
export function refundPercent(cancel: Cancel): number {
  if (cancel.by !== 'student' || isFreeForStudent(cancel)) return 100;
  return aheadOf(cancel) >= HALF_UNTIL_MS ? 50 : 0;
}

/** The same in words, for who is no party of it, such as a bank. */
export const TERMS_IN_WORDS =
  'A student who cancels at least 24 hours before the start of a session gets back everything that they paid, at least 4 hours before it half of ' +
  'that, and later nothing. They also get everything back within 15 minutes of asking for the session, if its start is at least an hour away, and ' +
  'within 24 hours after their tutor has moved it, if it has not begun by then. If the tutor or TutorConnect cancels, they get everything back.';

function isFreeForStudent(cancel: Cancel): boolean {
  const { requestedAt, startsAt, askedAt, movedByTutorAt } = cancel;
  const now = Date.parse(requestedAt);
  const thinksBetter = now - Date.parse(askedAt) <= SECOND_THOUGHTS_MS && aheadOf(cancel) >= SECOND_THOUGHTS_UNTIL_MS;
  const turnsTheMoveDown =
    movedByTutorAt !== null && now < Math.min(Date.parse(movedByTutorAt) + ANSWER_TO_A_MOVE_MS, Date.parse(startsAt));
  return aheadOf(cancel) >= FREE_UNTIL_MS || thinksBetter || turnsTheMoveDown;
}

function aheadOf({ startsAt, requestedAt }: Cancel): number {
  return Date.parse(startsAt) - Date.parse(requestedAt);
}

/**
 * What a share comes to by booking's copy of the payment, rounded up to the minor unit. Only sagas of before go by it: payment knows
 * better what is left.
 */
export function amountsOf(
  percent: number,
  { captured, refunded }: { captured: Money; refunded: Money },
): { refund: Money; retained: Money } {
  const left = subtract(captured, refunded);
  const refund = { amount: Math.min(left.amount, scaleUp(left, percent, 100)), currency: left.currency };
  return { refund, retained: subtract(left, refund) };
}
