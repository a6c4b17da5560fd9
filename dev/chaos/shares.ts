import type { Claimed } from './claims';
import type { Reply } from './client';
import type { BookingRecord, RefundRecord, Span } from './records';
import type { BookingView, RefundView } from './wire';

/** How the money of a booking stands when everything is over. */
export interface MoneyEnd {
  /** The share that the terms gave back, in percent; null: it was not cancelled after the payment. */
  refundPercent: number | null;
  /** The refunds of its payment, as people see them. */
  refunds: readonly RefundView[];
  /** Stripe refused a refund of it at some time. Whoever made one in its dashboard then stood in for that. */
  wasRefused: boolean;
  /** What banks have had to do with it. */
  claimed: Claimed;
}

const MINUTE_MS = 60_000;
/** So long after asking a cancel costs a student nothing. */
const SECOND_THOUGHTS_MS = 15 * MINUTE_MS;

const isOk = (reply: Reply | undefined) => reply !== undefined && reply.status < 300;
const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);

/** Which shares a cancel by `by` may give back by the terms, in percent; two where the quarter hour may have just ended. */
export function sharesOf(record: BookingRecord, by: 'student' | 'tutor'): number[] {
  if (by === 'tutor') return [100];
  const last = record.moves.findLast(({ reply }) => isOk(reply));
  // A run is over long before the day in which the student may turn down the tutor's time.
  if (last?.by === 'tutor') return [100];
  const late = last?.refundPercent ?? record.plan.slot.refundPercent;
  const cancels = record.cancelledAt.filter((cancel) => cancel.by === by);
  return [...new Set(cancels.flatMap(({ at }) => (record.aged ? [late] : soonOrLate(record.askedAt, at, late))))];
}

function soonOrLate(asked: Span, cancelled: Span, late: number): number[] {
  if (cancelled.to - asked.from <= SECOND_THOUGHTS_MS) return [100];
  return cancelled.from - asked.to > SECOND_THOUGHTS_MS ? [late] : [100, late];
}

/** All subsets of some refunds, each with what is left out. */
function splits(amounts: readonly number[]): { first: number[]; rest: number[] }[] {
  return amounts.reduce<{ first: number[]; rest: number[] }[]>(
    (all, amount) =>
      all.flatMap(({ first, rest }) => [
        { first: [...first, amount], rest },
        { first, rest: [...rest, amount] },
      ]),
    [{ first: [], rest: [] }],
  );
}

interface GivenBack {
  captured: number;
  /** The share of what is left that a cancel gave back, in percent. */
  percent: number;
  /** What was given back before the cancel. */
  before: readonly number[];
  /** What was given back before it or after it. */
  beside: readonly number[];
  /** The same, if it was given back at all. */
  perhaps: readonly number[];
}

/** What may have been given back in all: a share is of what other refunds leave, rounded up. */
export function sumsGivenBack({ captured, percent, before, beside, perhaps }: GivenBack): number[] {
  const sums = splits(perhaps).flatMap(({ first: made }) =>
    splits([...beside, ...made]).map(({ first, rest }) => {
      const taken = sum(before) + sum(first);
      const share = Math.ceil((Math.max(captured - taken, 0) * percent) / 100);
      return Math.min(taken + share + sum(rest), captured);
    }),
  );
  return [...new Set(sums)].sort((one, other) => one - other);
}

/** What is wrong with the money that a booking gave back, in sentences. */
export function judgeShares(record: BookingRecord, booking: BookingView, end: MoneyEnd): string[] {
  const captured = booking.payment?.captured.amount ?? 0;
  const refunded = booking.payment?.refunded.amount ?? 0;
  const { statusReason: reason } = booking;
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`booking ${booking.id}: ${what}`);
  };
  const by = (['student', 'tutor'] as const).find((one) => reason === `cancelled_by_${one}`);
  const { refundPercent } = end;
  if (refundPercent === null && booking.status !== 'confirmed') {
    expect(captured === refunded, `was undone, and ${captured - refunded} of ${captured} were kept`);
    return wrong;
  }
  if (by) {
    const shares = sharesOf(record, by);
    expect(
      refundPercent !== null && shares.includes(refundPercent),
      `a cancel by ${by} should give back ${shares.join(' or ')} %, and gives ${refundPercent} %`,
    );
  }
  const beforeCancel = record.refunds.filter(({ beside }) => !beside);
  const besideCancel = record.refunds.filter(({ beside }) => beside);
  const sums = sumsGivenBack({
    captured,
    percent: refundPercent ?? 0,
    before: amountsOf(beforeCancel, isCertain),
    beside: amountsOf(besideCancel, isCertain),
    perhaps: amountsOf(record.refunds, isDoubtful),
  });
  if (end.claimed.taken > 0) expect(...isWithin(record, refunded, sums, captured, end));
  else
    expect(
      sums.includes(refunded) || (end.wasRefused && isCovered(record, refunded, sums, captured, refundPercent ?? 0)),
      `${sums.join(' or ')} of ${captured} should be given back after a share of ${refundPercent} %, and ${refunded} are`,
    );
  for (const refund of record.refunds) wrong.push(...judgeRefund(record, refund, booking, end));
  return wrong;
}

/**
 * A bank that gives the payer money takes the place of refunds that are promised, or leaves less of which a share is given back: no less goes back in
 * all than without it, and of ours no more.
 * @returns whether that holds, and what should be
 */
function isWithin(
  record: BookingRecord,
  refunded: number,
  sums: readonly number[],
  captured: number,
  { refundPercent, claimed: { taken, chargedBack, givenUp, wonLate } }: MoneyEnd,
): [boolean, string] {
  const least = sumsGivenBack({
    ...{ captured: wonLate ? Math.max(0, captured - taken) : captured, percent: refundPercent ?? 0 },
    ...{ before: [], perhaps: [], beside: promisedByTutor(record) },
  });
  const [from, to] = [least[0] ?? 0, Math.min(captured, (sums.at(-1) ?? 0) + taken)];
  const back = refunded + chargedBack;
  return [
    back + givenUp >= from && back <= to,
    `${from} to ${to} of ${captured} should be given back by us and its payer's bank after a share of ${refundPercent} %, and ${refunded} and ${chargedBack} are, ${givenUp} being given up`,
  ];
}

const promisedByTutor = ({ refunds }: BookingRecord) =>
  refunds.filter(({ by, reply }) => by === 'tutor' && isOk(reply)).map(({ amount }) => amount);

const amountsOf = (refunds: readonly RefundRecord[], which: (refund: RefundRecord) => boolean) =>
  refunds.filter(which).map(({ amount, made }) => made ?? amount);

function isCertain({ by, reply, made = 0 }: RefundRecord): boolean {
  return by === 'dashboard' ? made > 0 : isOk(reply);
}

/** Somebody gave up on it, or Stripe refused it at first: then an operator makes it. */
function isDoubtful({ by, reply }: RefundRecord): boolean {
  return by === 'tutor' && (reply === undefined || reply.code === 'refund_failed');
}

/** A refund in the dashboard stood in for one that Stripe had refused: no more went back than without that, and no less than was promised. */
function isCovered(record: BookingRecord, refunded: number, sums: number[], captured: number, percent: number) {
  const inDashboard = record.refunds.filter(({ by }) => by === 'dashboard');
  const least = sumsGivenBack({
    ...{ captured, percent, before: [], perhaps: [] },
    beside: promisedByTutor(record),
  });
  const made = sum(inDashboard.map((refund) => refund.made ?? 0));
  return made > 0 && refunded >= Math.max(least[0] ?? 0, made) && refunded <= (sums.at(-1) ?? 0);
}

/** Whether the tutor was told the truth about a refund. */
function judgeRefund(record: BookingRecord, refund: RefundRecord, booking: BookingView, end: MoneyEnd): string[] {
  const { by, amount, reply, beside } = refund;
  if (by === 'dashboard' || !reply) return [];
  const about = `booking ${booking.id}: a refund of ${amount} by the tutor`;
  const captured = booking.payment?.captured.amount ?? 0;
  if (!isOk(reply)) {
    const wasDisputed = reply.code === 'payment_disputed' && end.claimed.taken > 0;
    if (reply.code === 'refund_failed' || wasDisputed) return [];
    const others = record.refunds.filter((other) => other !== refund);
    const most = sumsGivenBack({
      ...{ captured, before: [], perhaps: [] },
      percent: beside ? (end.refundPercent ?? 0) : 0,
      beside: others.map((other) => other.made ?? other.amount),
    });
    const tooMuch =
      reply.code === 'refund_exceeds_payment' && (most.at(-1) ?? 0) + amount + end.claimed.taken > captured;
    return tooMuch ? [] : [`${about} was refused for no reason: ${reply.status} ${reply.code ?? ''}`];
  }
  const isThere = end.refunds.some((one) => one.status === 'succeeded' && one.amount.amount === amount);
  // It may have been made in the dashboard instead, or there was no longer enough left for both.
  const isInDashboard = record.refunds.some((other) => (other.made ?? 0) > 0);
  const isAllBack = booking.payment?.refunded.amount === captured;
  const stoodIn = isInDashboard && (end.wasRefused || isAllBack);
  // A bank may have given it to the payer, or an operator have paid it elsewhere then.
  return isThere || stoodIn || end.claimed.taken > 0 ? [] : [`${about} was promised and was not made`];
}
