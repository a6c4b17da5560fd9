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
  if (!asked) return wrong; // the records say why the play broke
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
    const mayLose = record.cancels.length > 1 || plan.studentCancels === 'racing';
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
  return [...wrong, ...judgeMoney(record, booking, retained)];
}

/** How the booking may end after what its clients were told, as `status/reason`. */
function ends(record: BookingRecord, state: string): string[] {
  const { asked, cancels, decline, confirm } = record;
  const cancelled = cancels.filter(({ reply }) => isOk(reply));
  if (cancelled.length > 0) {
    return cancelled.flatMap(({ by }) => [`cancelled/cancelled_by_${by}`, `refunded/cancelled_by_${by}`]);
  }
  if (isOk(decline)) return ['cancelled/declined'];
  if (isOk(confirm)) return ['confirmed/null'];
  // The answer was 202, because the request took long, and the rival got the slot.
  const lost = record.contested && asked?.status === 202 ? ['cancelled/slot_unavailable'] : [];
  return [...lost, ...undisturbed(record, state)];
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

function story({ asked, confirm, decline, cancels }: BookingRecord): string {
  const parts = [`asked: ${said(asked)}`];
  if (confirm) parts.push(`confirm: ${said(confirm)}`);
  if (decline) parts.push(`decline: ${said(decline)}`);
  parts.push(...cancels.map(({ by, reply }) => `cancel by ${by}: ${said(reply)}`));
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

function judgeMoney(record: BookingRecord, { price, payment, id }: BookingView, retained: number | null): string[] {
  const { plan, cancels } = record;
  const captured = payment?.captured.amount ?? 0;
  const kept = captured - (payment?.refunded.amount ?? 0);
  const cancelled = cancels.filter(({ reply }) => isOk(reply)).map(({ by }) => by);
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
  expect(
    payment.captured.amount === (taken ? plan.amount : 0),
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
  expect(payment.refunded.amount === sum, `${sum} were promised to be refunded, and ${payment.refunded.amount} are`);
  expect(payment.refundPending.amount === 0, `${payment.refundPending.amount} are still to be refunded`);
  for (const { amount, reply } of record.refunds) {
    if (isOk(reply)) continue;
    const tooMuch = reply.code === 'refund_exceeds_payment' && sum + amount > plan.amount;
    expect(tooMuch, `a refund of ${amount} was refused for no reason: ${said(reply)}`);
  }
  return wrong;
}
