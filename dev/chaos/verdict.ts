import { MOST_UNPAID } from '../../kernel/session';
import { PAYMENT_DEADLINE_MS } from '../../workflows/payment.api';
import type { Claimed } from './claims';
import type { Reply } from './client';
import type { BookingRecord, PaymentRecord, Wanted } from './records';
import { judgeShares, type MoneyEnd } from './shares';
import {
  type BookingView,
  bookingSchema,
  type PaymentView,
  paymentSchema,
  type RefundView,
  refundSchema,
} from './wire';

/** A booking as it stands when everything is over. */
export interface BookingEnd extends MoneyEnd {
  booking: BookingView | undefined;
  /** Whether its student had asked for as many others as may be without an authorised payment. */
  isOneOfMany: boolean;
}

/**
 * Whether a request may be refused because its student has too many: that is decided when the booking is made, which may be long after a 202.
 */
export function isOneOfMany(
  { askedAt }: Pick<BookingRecord, 'askedAt'>,
  others: readonly Pick<BookingRecord, 'askedAt'>[],
  booking: Pick<BookingView, 'updatedAt'> | undefined,
): boolean {
  const decidedBy = Math.max(askedAt.to, booking?.updatedAt === undefined ? 0 : Date.parse(booking.updatedAt));
  return others.filter((other) => other.askedAt.from < decidedBy).length >= MOST_UNPAID;
}

const said = (reply: Reply | undefined) => (reply ? `${reply.status}${reply.code ? ` ${reply.code}` : ''}` : 'nothing');
const isOk = (reply: Reply | undefined) => reply !== undefined && reply.status < 300;

/**
 * Checks that the clients of a booking were told the truth, and that every refusal had a reason.
 * @returns what is wrong, in sentences
 */
export function judgeBooking(record: BookingRecord, end: BookingEnd): string[] {
  const { booking } = end;
  const { plan, asked, id } = record;
  const wrong: string[] = [];
  const state = booking ? `${booking.status}/${booking.statusReason}` : 'not there';
  const expect = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`booking ${id ?? `${plan.number}, without an id,`} (${state}): ${what}`);
  };
  if (!asked) return wrong; // the records say why the play broke; who gave up knows nothing
  if (asked.status >= 300) return [...wrong, ...judgeRefusal(record, state, end.isOneOfMany)];
  if (!booking) {
    expect(false, `is not there, though the client was answered ${said(asked)}`);
    return wrong;
  }
  const allowed = [...ends(record, booking, state), ...(end.isOneOfMany && asked.status === 202 ? [ONE_TOO_MANY] : [])];
  expect(allowed.includes(state), `should be ${allowed.join(' or ')} after ${story(record)}`);
  const told = bookingSchema.parse(asked.body);
  if (asked.status === 201) {
    const promised = record.tutorIsInstant ? 'confirmed/null' : 'pending/awaiting_tutor';
    // A stored reply shows the booking as it was when the reply was made.
    expect(`${told.status}/${told.statusReason}` === promised, `201 said ${told.status}/${told.statusReason}`);
  }
  for (const { by, reply } of record.cancels) {
    const mayLose = record.cancels.length + doubtfulCancels(record).length > 1 || plan.studentCancels === 'racing';
    expect(
      isOk(reply) || (mayLose && reply.code === 'invalid_state'),
      `the ${by}'s cancel was answered ${said(reply)}`,
    );
    if (isOk(reply)) {
      const { status } = bookingSchema.parse(reply.body);
      expect(status === 'cancelled' || status === 'refunded', `a cancel was answered 200 with a ${status} booking`);
    }
  }
  for (const [what, reply, becomes] of [
    ['confirm', record.confirm, ['confirmed', 'cancelled', 'refunded']],
    ['decline', record.decline, ['cancelled', 'refunded']],
  ] as const) {
    if (!reply) continue;
    const lost = plan.studentCancels === 'racing' && reply.code === 'invalid_state';
    const lapsed = record.lapsed && ['invalid_state', 'payment_failed'].includes(reply.code ?? '');
    expect((isOk(reply) && !record.lapsed) || lost || lapsed, `the tutor's ${what} was answered ${said(reply)}`);
    if (!isOk(reply)) continue;
    const { status } = bookingSchema.parse(reply.body);
    expect(
      becomes.some((one) => one === status),
      `${what} was answered 200 with a ${status} booking`,
    );
  }
  const place = Date.parse(booking.scheduledAt);
  const places = placesOf(record, told.scheduledAt);
  expect(places.includes(place), `should be at ${places.map(iso).join(' or ')}, and is at ${booking.scheduledAt}`);
  for (const { to, reply, wanted } of record.moves) {
    if (reply && !isOk(reply))
      expect(
        refusalsOf(wanted).includes(reply.code ?? ''),
        `a move to ${to} was refused for no reason: ${said(reply)}`,
      );
  }
  return [...wrong, ...judgeMoney(record, booking, end)];
}

const iso = (at: number) => new Date(at).toISOString();

/** Where the session may be: where the last move that was made has put it, or one that was given up on would have. */
function placesOf({ moves }: BookingRecord, first: string): number[] {
  const made = moves.findLast(({ reply }) => isOk(reply))?.to ?? first;
  const doubtful = moves.filter(({ reply }) => !reply).map(({ to }) => to);
  return [made, ...doubtful].map((at) => Date.parse(at));
}

/** With which codes a time can be refused that others may have. */
function refusalsOf({ byTutor, byStudent }: Wanted): string[] {
  return [...(byTutor ? ['slot_unavailable'] : []), ...(byStudent ? ['conflict'] : [])];
}

/** What is left of a request that its student had made too many of: there is no booking. */
const ONE_TOO_MANY = 'cancelled/null';

/** What is left of a request that lost its time to others: of one that met a session of the same student there is no booking. */
function leftOf({ byTutor, byStudent }: Wanted): string[] {
  return [...(byTutor || byStudent ? ['cancelled/slot_unavailable'] : []), ...(byStudent ? ['cancelled/null'] : [])];
}

/** Who gave up on a cancel, which may have taken effect. */
function doubtfulCancels({ doubts }: BookingRecord): ('student' | 'tutor')[] {
  return (['student', 'tutor'] as const).filter((by) => doubts.includes(`cancel by ${by}`));
}

/** How the booking may end after what its clients were told, as `status/reason`. */
function ends(record: BookingRecord, booking: BookingView, state: string): string[] {
  const { asked, cancels, decline, confirm, doubts, plan } = record;
  // Whatever ended it, it is refunded when everything came back that was taken.
  const { captured, refunded } = booking.payment ?? { captured: { amount: 0 }, refunded: { amount: 0 } };
  const nothing = captured.amount > 0 && captured.amount === refunded.amount ? 'refunded' : 'cancelled';
  const perhaps = doubtfulCancels(record).map((by) => `${nothing}/cancelled_by_${by}`);
  const cancelled = cancels.filter(({ reply }) => isOk(reply));
  if (cancelled.length > 0) return [...cancelled.map(({ by }) => `${nothing}/cancelled_by_${by}`), ...perhaps];
  if (isOk(decline)) return [`${nothing}/declined`];
  // Seen while the tutor was asked, or when the money was to be taken.
  if (record.lapsed) return [`${nothing}/payment_expired`, `${nothing}/payment_declined`];
  if (isOk(confirm)) return ['confirmed/null', ...perhaps];
  if (doubts.includes('confirm')) perhaps.push('confirmed/null');
  if (doubts.includes('decline')) perhaps.push(`${nothing}/declined`);
  // Whoever gave up before the bank asked never answered it.
  if (record.gaveUp && plan.bank !== 'none') perhaps.push(...unansweredBank(record, nothing));
  // The answer was 202, because the request took long: somebody else got the time, or the trouble lasted for as long as it is retried.
  const lost = asked?.status === 202 ? [...leftOf(record.wanted), `${nothing}/platform_unavailable`] : [];
  return [...lost, ...perhaps, ...undisturbed(record, nothing, state)];
}

/** A bank whose question nobody answers is waited for, but not for ever: a run may last longer. */
function unansweredBank({ askedAt }: BookingRecord, nothing: string): string[] {
  const isOver = Date.now() - askedAt.from >= PAYMENT_DEADLINE_MS;
  return ['pending/awaiting_payment', ...(isOver ? [`${nothing}/payment_expired`] : [])];
}

/** How it ends when nobody cancels or refuses it and the slot is free. `nothing`: the status of a booking that came to nothing. */
function undisturbed(record: BookingRecord, nothing: string, state: string) {
  const { plan, decline, confirm, tutorIsInstant } = record;
  if (plan.declines) return [`${nothing}/payment_declined`];
  if (plan.bank === 'abandon') return unansweredBank(record, nothing);
  if (tutorIsInstant) return ['confirmed/null'];
  // A confirm or decline that was refused without a reason is reported above.
  if (confirm || decline) return [state];
  return ['pending/awaiting_tutor'];
}

function story({ asked, confirm, decline, moves, refunds, cancels, lapsed, doubts, gaveUp }: BookingRecord): string {
  const parts = [`asked: ${said(asked)}`];
  if (lapsed) parts.push('authorisation cancelled at Stripe');
  if (confirm) parts.push(`confirm: ${said(confirm)}`);
  if (decline) parts.push(`decline: ${said(decline)}`);
  parts.push(...moves.map(({ by, to, reply }) => `move by ${by} to ${to}: ${said(reply)}`));
  parts.push(...refunds.map(({ by, amount, reply, made }) => `refund of ${amount} by ${by}: ${made ?? said(reply)}`));
  parts.push(...cancels.map(({ by, reply }) => `cancel by ${by}: ${said(reply)}`));
  if (gaveUp) parts.push(`gave up${doubts.length > 0 ? ` on ${doubts.join(' and ')}` : ''}`);
  return parts.join(', ');
}

/** Checks that a refused request had a reason of its own and left nothing behind. */
function judgeRefusal({ plan, asked, id, wanted }: BookingRecord, state: string, isOneOfMany: boolean): string[] {
  const code = asked?.code ?? '';
  if (isOneOfMany && code === 'too_many_pending' && state === ONE_TOO_MANY) return [];
  const reasons = [...(plan.declines ? ['payment_declined'] : []), ...refusalsOf(wanted)];
  const left = code === 'payment_declined' ? 'cancelled/payment_declined' : 'cancelled/slot_unavailable';
  const isNothing = state === left || leftOf(wanted).includes(state) || (state === 'not there' && id === undefined);
  return [
    ...(reasons.includes(code) ? [] : [`booking ${id ?? plan.number} was refused for no reason: ${said(asked)}`]),
    ...(isNothing ? [] : [`booking ${id} was refused with ${said(asked)} and is ${state}`]),
  ];
}

function judgeMoney(record: BookingRecord, booking: BookingView, end: BookingEnd): string[] {
  const { id, status } = booking;
  const isCancelled = status === 'cancelled' || status === 'refunded';
  const wasConfirmed = isOk(record.confirm) || bookingSchema.parse(record.asked?.body).status === 'confirmed';
  if (isCancelled && end.refundPercent === null && wasConfirmed)
    return [`booking ${id} was confirmed before it was cancelled, and was undone as if not`];
  return status === 'pending' ? [] : judgeShares(record, booking, end);
}

/** As `judgeBooking`, for a direct payment. `claimed`: what banks have had to do with it. */
export function judgePayment(
  record: PaymentRecord,
  payment: PaymentView | undefined,
  refunds: RefundView[],
  claimed: Claimed,
): string[] {
  const { plan, asked, id } = record;
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`payment ${id ?? plan.number} (${payment?.status ?? 'not there'}): ${what}`);
  };
  if (!asked) return wrong;
  if (asked.status >= 300) {
    expect(plan.declines && asked.code === 'payment_declined', `was refused for no reason: ${said(asked)}`);
    expect(!payment || payment.captured.amount === 0, `was answered ${said(asked)} and took money`);
    return wrong;
  }
  if (!payment) {
    expect(false, `is not there, though the client was answered ${said(asked)}`);
    return wrong;
  }
  if (asked.status === 201)
    expect(paymentSchema.parse(asked.body).captured.amount === plan.amount, '201 and not taken');
  const taken = !plan.declines && plan.bank !== 'abandon';
  // Whoever gave up before the bank asked never answered it.
  const unanswered = record.gaveUp && plan.bank !== 'none' && payment.captured.amount === 0;
  expect(
    unanswered || payment.captured.amount === (taken ? plan.amount : 0),
    `has ${payment.captured.amount} of ${plan.amount} taken`,
  );
  const made = record.refunds.filter(({ reply }) => isOk(reply));
  for (const { reply } of made) {
    const { id: refundId, amount } = refundSchema.parse(reply.body);
    const now = refunds.find((one) => one.id === refundId);
    // A bank may have given it to the payer instead, or a part of it, or an operator have paid it elsewhere then.
    if (claimed.taken > 0 && now) continue;
    expect(now?.status === 'succeeded', `refund ${refundId} was promised and is ${now?.status ?? 'not there'}`);
    expect(now?.amount.amount === amount.amount, `refund ${refundId} of ${amount.amount} became ${now?.amount.amount}`);
  }
  const sum = made.reduce((total, { amount }) => total + amount, 0);
  // What Stripe refused an operator makes again; what somebody gave up on was made or not.
  const later = record.refunds.filter(({ reply }) => reply.code === 'refund_failed').map(({ amount }) => amount);
  const perhaps = [...record.doubtful, ...later];
  const sums = [sum];
  for (const amount of perhaps) sums.push(...sums.map((one) => one + amount));
  const { chargedBack, givenUp } = claimed;
  const [refunded, most] = [payment.refunded.amount, Math.min(plan.amount, Math.max(...sums) + claimed.taken)];
  if (claimed.taken > 0)
    expect(
      refunded + chargedBack + givenUp >= sum && refunded + chargedBack <= most,
      `${sum} to ${most} should be given back by us and its payer's bank, and ${refunded} and ${chargedBack} are, ${givenUp} being given up`,
    );
  else expect(sums.includes(refunded), `${sums.join(' or ')} were promised to be refunded, and ${refunded} are`);
  expect(payment.refundPending.amount === 0, `${payment.refundPending.amount} are still to be refunded`);
  for (const { amount, reply } of record.refunds) {
    if (isOk(reply)) continue;
    const others = perhaps.reduce((total, one) => total + one, sum + claimed.taken);
    const tooMuch = reply.code === 'refund_exceeds_payment' && others + amount > plan.amount;
    const wasDisputed = reply.code === 'payment_disputed' && claimed.taken > 0;
    expect(
      tooMuch || wasDisputed || reply.code === 'refund_failed',
      `a refund of ${amount} was refused for no reason: ${said(reply)}`,
    );
  }
  return wrong;
}
