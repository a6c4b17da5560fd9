import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { GaveUp } from './client';
import { askAs, unexpected } from './people';
import type { PaymentPlan } from './plan';
import type { Cast, PaymentRecord, Records } from './records';
import { intentOf, LOOK_EVERY_MS, pairOf, RESTS_WITHIN_MS } from './requests';
import { together } from './together';
import { type PaymentView, paymentSchema, refusalSchema } from './wire';

/** Notes that somebody gave up, and goes on giving up. */
export async function notingGiveUp(record: { gaveUp: boolean }, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    record.gaveUp ||= error instanceof GaveUp;
    throw error;
  }
}

export async function playPayment(cast: Cast, plan: PaymentPlan, records: Records): Promise<void> {
  const { student, tutor } = pairOf(cast, plan);
  const record = newPayment({ plan, student, tutor }, records);
  await sleep(plan.pauseMs);
  await notingGiveUp(record, () => payAndRefund(cast, plan, record));
}

/** Notes a payment before anything is said of it. */
export function newPayment(of: Pick<PaymentRecord, 'plan' | 'student' | 'tutor'>, records: Records): PaymentRecord {
  const record: PaymentRecord = { ...of, id: undefined, asked: undefined, refunds: [], gaveUp: false, doubtful: [] };
  records.payments.push(record);
  return record;
}

async function payAndRefund(cast: Cast, plan: PaymentPlan, record: PaymentRecord): Promise<void> {
  const payment = await pay(cast, record, 'EUR');
  if (!payment || payment.captured.amount === 0) return;
  await sleep(plan.pauseMs);
  if (plan.withoutTemporal && plan.refundPercents.length > 0) await cast.stopTemporal();
  await together(plan.refundPercents.map((percent) => giveBack(cast, record, percent, 'EUR')));
}

/** Pays, and waits until it is known what came of it. Undefined when it was refused at once. */
export async function pay(cast: Cast, record: PaymentRecord, currency: string): Promise<PaymentView | undefined> {
  const { student, tutor, plan } = record;
  const amount = { amount: plan.amount, currency };
  const body = { payeeId: tutor.id, amount, paymentMethodId: plan.card, description: 'A book' };
  record.asked = await askAs(cast.client, student, 'POST', '/api/payments', { key: randomUUID(), body });
  const { asked } = record;
  record.id = asked.status < 300 ? paymentSchema.parse(asked.body).id : refusalSchema.parse(asked.body).paymentId;
  return asked.status >= 300 ? undefined : untilPaid(cast, record);
}

/** The payee gives back a part, in percent. @throws GaveUp after noting the refund as doubtful */
export async function giveBack(cast: Cast, record: PaymentRecord, percent: number, currency: string): Promise<void> {
  const part = Math.round((record.plan.amount * percent) / 100);
  const body = { amount: { amount: part, currency }, reason: 'As agreed' };
  const path = `/api/payments/${record.id}/refund`;
  try {
    const reply = await askAs(cast.client, record.tutor, 'POST', path, { key: randomUUID(), body });
    record.refunds.push({ amount: part, reply });
  } catch (error) {
    if (error instanceof GaveUp) record.doubtful.push(part);
    throw error;
  }
}

async function untilPaid(cast: Cast, { id, student, plan: { bank } }: PaymentRecord): Promise<PaymentView> {
  let answered = false;
  for (const deadline = performance.now() + RESTS_WITHIN_MS; performance.now() < deadline; ) {
    const reply = await askAs(cast.client, student, 'GET', `/api/payments/${id}`);
    if (reply.status !== 200) throw unexpected(`reading payment ${id}`, reply);
    const payment = paymentSchema.parse(reply.body);
    if (payment.status !== 'pending' && payment.status !== 'requires_action') return payment;
    const asksBank = payment.status === 'requires_action';
    if (asksBank && bank === 'abandon') return payment;
    if (asksBank && payment.clientSecret && !answered && (bank === 'complete' || bank === 'fail')) {
      await cast.bank(intentOf(payment.clientSecret), bank);
      answered = true;
    }
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`payment ${id} was neither taken nor refused within ${RESTS_WITHIN_MS / 1_000} s`);
}
