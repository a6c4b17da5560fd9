import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { together } from './changes';
import { GaveUp } from './client';
import { askAs, unexpected } from './people';
import type { PaymentPlan } from './plan';
import type { Cast, PaymentRecord, Records } from './records';
import { intentOf, LOOK_EVERY_MS, pairOf, RESTS_WITHIN_MS } from './requests';
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
  const of = { plan, student, tutor };
  const record: PaymentRecord = { ...of, id: undefined, asked: undefined, refunds: [], gaveUp: false, doubtful: [] };
  records.payments.push(record);
  await sleep(plan.pauseMs);
  await notingGiveUp(record, () => payAndRefund(cast, plan, record));
}

async function payAndRefund(cast: Cast, plan: PaymentPlan, record: PaymentRecord): Promise<void> {
  const { client } = cast;
  const { student, tutor } = record;
  const amount = { amount: plan.amount, currency: 'EUR' };
  const body = { payeeId: tutor.id, amount, paymentMethodId: plan.card, description: 'A book' };
  record.asked = await askAs(client, student, 'POST', '/api/payments', { key: randomUUID(), body });
  const { asked } = record;
  record.id = asked.status < 300 ? paymentSchema.parse(asked.body).id : refusalSchema.parse(asked.body).paymentId;
  if (asked.status >= 300) return;
  const payment = await untilPaid(cast, record);
  if (payment.captured.amount === 0) return;
  await sleep(plan.pauseMs);
  if (plan.withoutTemporal && plan.refundPercents.length > 0) await cast.stopTemporal();
  await together(
    plan.refundPercents.map(async (percent) => {
      const part = Math.round((plan.amount * percent) / 100);
      const body = { amount: { amount: part, currency: 'EUR' }, reason: 'As agreed' };
      const call = { key: randomUUID(), body };
      try {
        const reply = await askAs(client, tutor, 'POST', `/api/payments/${record.id}/refund`, call);
        record.refunds.push({ amount: part, reply });
      } catch (error) {
        if (error instanceof GaveUp) record.doubtful.push(part);
        throw error;
      }
    }),
  );
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
