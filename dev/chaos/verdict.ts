import type { Reply } from './client';
import type { BookingRecord, PaymentRecord } from './plays';
import {
  type BookingView,
  bookingSchema,
  type PaymentView,
  paymentSchema,
  type RefundView,
  refundSchema,
} from './wire';

/** A booking as it stands when everything is over. */
export interface BookingEnd {
  booking: BookingView | undefined;
  /**
   * What a cancel after the payment left with the tutor, in cents; null: the booking was not cancelled after the
   * payment.
   */
  retained: number | null;
}

const said = (reply: Reply | undefined) => (reply ? `${reply.status}${reply.code ? ` ${reply.code}` : ''}` : 'nothing');
const isOk = (reply: Reply | undefined) => reply !== undefined && reply.status < 300;

/**
 * Checks that the clients of a booking were told the truth, and that every refusal had a reason.
 * @returns what is wrong, in sentences
 */
export function judgeBooking(record: BookingRecord, { booking, retained }: BookingEnd): string[] {
  const { plan, asked, id } = record;
  const wrong: string[] = [];
  const state = booking ? `${booking.status}/${booking.statusReason}` : 'not there';
  const expect = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`booking ${id ?? `${plan.number}, without an id,`} (${state}): ${what}`);
  };
  if (!asked) return wrong; // the records say why the play broke; who gave up knows nothing
  if (asked.status >= 300) return [...wrong, ...judgeRefusal(record, state)];
  if (!booking) {
    expect(false, `is not there, though the client was answered ${said(asked)}`);
    return wrong;
  }
  expect(ends(record, state).includes(state), `should be ${ends(record, state).join(' or ')} after ${story(record)}`);
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
    ['decline', record.decline, ['cancelled']],
  ] as const) {
    if (!reply) continue;
    const lost = plan.studentCancels === 'racing' && reply.code === 'invalid_state';
    expect(isOk(reply) || lost, `the tutor's ${what} was answered ${said(reply)}`);
    if (!isOk(reply)) continue;
    const { status } = bookingSchema.parse(reply.body);
    expect(
      becomes.some((one) => one === status),
      `${what} was answered 200 with a ${status} booking`,
    );
  }
  if (record.move) {
    const { to, reply } = record.move;
    expect(isOk(reply), `moving it to a free hour was answered ${said(reply)}`);
    const stays = isOk(reply) ? to : undefined;
    expect(
      !stays || Date.parse(booking.scheduledAt) === Date.parse(stays),
      `was moved to ${to} and is at ${booking.scheduledAt}`,
    );
  }
  if (record.doubts.includes('move')) {
    const places = [told.scheduledAt, record.mayBeMovedTo ?? ''].map((place) => Date.parse(place));
    expect(places.includes(Date.parse(booking.scheduledAt)), `is at ${booking.scheduledAt}, which nobody asked for`);
  }
  return [...wrong, ...judgeMoney(record, booking, retained)];
}

/** Who gave up on a cancel, which may have taken effect. */
function doubtfulCancels({ doubts }: BookingRecord): ('student' | 'tutor')[] {
  return (['student', 'tutor'] as const).filter((by) => doubts.includes(`cancel by ${by}`));
}

/** How the booking may end after what its clients were told, as `status/reason`. */
function ends(record: BookingRecord, state: string): string[] {
  const { asked, cancels, decline, confirm, doubts, plan } = record;
  const cancelledBy = (by: string) => [`cancelled/cancelled_by_${by}`, `refunded/cancelled_by_${by}`];
  const perhaps = doubtfulCancels(record).flatMap(cancelledBy);
  const cancelled = cancels.filter(({ reply }) => isOk(reply));
  if (cancelled.length > 0) return [...cancelled.flatMap(({ by }) => cancelledBy(by)), ...perhaps];
  if (isOk(decline)) return ['cancelled/declined'];
  if (isOk(confirm)) return ['confirmed/null', ...perhaps];
  if (doubts.includes('confirm')) perhaps.push('confirmed/null');
  if (doubts.includes('decline')) perhaps.push('cancelled/declined');
  // Whoever gave up before the bank asked never answered it.
  if (record.gaveUp && plan.bank !== 'none') perhaps.push('pending/awaiting_payment');
  // The answer was 202, because the request took long, and the rival got the slot.
  const lost = record.contested && asked?.status === 202 ? ['cancelled/slot_unavailable'] : [];
  return [...lost, ...perhaps, ...undisturbed(record, state)];
}

/** How it ends when nobody cancels or refuses it and the slot is free. */
function undisturbed({ plan, decline, confirm, tutorIsInstant }: BookingRecord, state: string): string[] {
  if (plan.declines) return ['cancelled/payment_declined'];
  if (plan.bank === 'abandon') return ['pending/awaiting_payment'];
  if (tutorIsInstant) return ['confirmed/null'];
  // A confirm or decline that was refused without a reason is reported above.
  if (confirm || decline) return [state];
  return ['pending/awaiting_tutor'];
}

function story({ asked, confirm, decline, cancels, doubts, gaveUp }: BookingRecord): string {
  const parts = [`asked: ${said(asked)}`];
  if (confirm) parts.push(`confirm: ${said(confirm)}`);
  if (decline) parts.push(`decline: ${said(decline)}`);
  parts.push(...cancels.map(({ by, reply }) => `cancel by ${by}: ${said(reply)}`));
  if (gaveUp) parts.push(`gave up${doubts.length > 0 ? ` on ${doubts.join(' and ')}` : ''}`);
  return parts.join(', ');
}

/** Checks that a refused request had a reason of its own and left nothing behind. */
function judgeRefusal({ plan, asked, id, contested }: BookingRecord, state: string): string[] {
  const code = asked?.code;
  const reasons = [...(plan.declines ? ['payment_declined'] : []), ...(contested ? ['slot_unavailable'] : [])];
  const left = code === 'payment_declined' ? 'cancelled/payment_declined' : 'cancelled/slot_unavailable';
  return [
    ...(reasons.includes(code ?? '') ? [] : [`booking ${id ?? plan.number} was refused for no reason: ${said(asked)}`]),
    ...(state === left || (id === undefined && state === 'not there')
      ? []
      : [`booking ${id} was refused with ${said(asked)} and is ${state}`]),
  ];
}

function judgeMoney(record: BookingRecord, booking: BookingView, retained: number | null): string[] {
  const { price, payment, id, statusReason } = booking;
  const { plan, cancels } = record;
  const captured = payment?.captured.amount ?? 0;
  const kept = captured - (payment?.refunded.amount ?? 0);
  const cancelled = [
    ...cancels.filter(({ reply }) => isOk(reply)).map(({ by }) => by),
    ...doubtfulCancels(record).filter((by) => statusReason === `cancelled_by_${by}`),
  ];
  if (cancelled.length === 0) return [];
  // A booking that is cancelled before it is paid gives everything back. Refunds are rounded up.
  const percentOf = (by: 'student' | 'tutor') => (by === 'tutor' ? 100 : record.move ? 100 : plan.slot.refundPercent);
  const due = price?.amount ?? 0;
  const terms = cancelled.map((by) => due - Math.ceil((due * percentOf(by)) / 100));
  const confirmedBefore = isOk(record.confirm) || bookingSchema.parse(record.asked?.body).status === 'confirmed';
  if (retained === null && confirmedBefore)
    return [`booking ${id} was confirmed before it was cancelled, and was undone as if not`];
  const allowed = retained === null ? [0] : terms;
  return allowed.includes(kept)
    ? []
    : [
        `booking ${id}: the tutor should keep ${allowed.join(' or ')} of ${due} after a cancel by ${cancelled.join(' and ')}, and keeps ${kept}`,
      ];
}

/** As `judgeBooking`, for a direct payment. */
export function judgePayment(record: PaymentRecord, payment: PaymentView | undefined, refunds: RefundView[]): string[] {
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
    expect(now?.status === 'succeeded', `refund ${refundId} was promised and is ${now?.status ?? 'not there'}`);
    expect(now?.amount.amount === amount.amount, `refund ${refundId} of ${amount.amount} became ${now?.amount.amount}`);
  }
  const sum = made.reduce((total, { amount }) => total + amount, 0);
  // What Stripe refused an operator makes again; what somebody gave up on was made or not.
  const later = record.refunds.filter(({ reply }) => reply.code === 'refund_failed').map(({ amount }) => amount);
  const perhaps = [...record.doubtful, ...later];
  const sums = [sum];
  for (const amount of perhaps) sums.push(...sums.map((one) => one + amount));
  expect(
    sums.includes(payment.refunded.amount),
    `${sums.join(' or ')} were promised to be refunded, and ${payment.refunded.amount} are`,
  );
  expect(payment.refundPending.amount === 0, `${payment.refundPending.amount} are still to be refunded`);
  for (const { amount, reply } of record.refunds) {
    if (isOk(reply)) continue;
    const most = perhaps.reduce((total, one) => total + one, sum);
    const tooMuch = reply.code === 'refund_exceeds_payment' && most + amount > plan.amount;
    expect(
      tooMuch || reply.code === 'refund_failed',
      `a refund of ${amount} was refused for no reason: ${said(reply)}`,
    );
  }
  return wrong;
}
