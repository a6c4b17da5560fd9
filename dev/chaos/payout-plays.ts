import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../machine/error-code';
import { askingOnce, GaveUp, type Reply } from './client';
import { disputing } from './dispute-plays';
import { onboard } from './onboarding';
import { giveBack, newPayment, pay } from './payment-plays';
import { askAs, unexpected } from './people';
import type { BankKind, Button, EarnerPlan, PaymentTerms, Round } from './plan';
import type { AskRecord, Cast, EarnerRecord, PaymentRecord, Records } from './records';
import { LOOK_EVERY_MS, RESTS_WITHIN_MS } from './requests';
import { together } from './together';
import { type PayoutView, payoutSchema, payoutsSchema, refusalSchema } from './wire';

/** Plays the story of one payee to its end and notes what they were told. Never rejects. */
export async function playEarner(cast: Cast, plan: EarnerPlan, records: Records): Promise<void> {
  try {
    const person = cast.earners[plan.number];
    if (!person) throw new Error('The script names somebody who is not in the cast');
    const record: EarnerRecord = { plan, person, asks: [] };
    records.earners.push(record);
    await sleep(plan.pauseMs);
    if (plan.starts !== 'nothing') await tellStripe(cast, record, plan.starts === 'no bank' ? undefined : plan.starts);
    await earn(cast, record, plan.resting, records);
    for (const round of plan.rounds) await playRound(cast, record, round, records);
  } catch (error) {
    records.broken.push(`earner ${plan.number}: ${messageOf(error)}`);
  }
}

const tellStripe = ({ client }: Cast, { person, plan }: EarnerRecord, bank: BankKind | undefined) =>
  onboard(client, person, plan.currency, bank);

async function playRound(cast: Cast, record: EarnerRecord, round: Round, records: Records): Promise<void> {
  const { currency } = record.plan;
  if (round.mends === 'before') await tellStripe(cast, record, 'takes');
  const payments = await together(
    round.earns.map(async (terms) => {
      const payment = await earn(cast, record, terms, records);
      if (payment.id !== undefined && payment.asked && payment.asked.status < 300)
        await cast.letEarningsRest(payment.id);
      return payment;
    }),
  );
  const [payment] = payments;
  const clawBack = async (when: 'beside' | 'after') => {
    if (payment?.id !== undefined && round.clawback?.when === when)
      await giveBack(cast, payment, round.clawback.percent, currency);
  };
  const payOut = async () => {
    const before = await newestOf(cast, record);
    await together([openPayout(cast, record, round), clawBack('beside')]);
    await untilItRests(cast, record, round, before);
    await clawBack('after');
  };
  const paymentId = payment?.id;
  if (paymentId === undefined) await payOut();
  else await disputing(cast, { paymentId, payee: record.person }, round.dispute, records, payOut);
}

/** A student pays. */
async function earn(
  cast: Cast,
  { person: tutor, plan: { currency } }: EarnerRecord,
  plan: PaymentTerms,
  records: Records,
): Promise<PaymentRecord> {
  const student = cast.students[plan.student];
  if (!student) throw new Error('The script names somebody who is not in the cast');
  const payment = newPayment({ plan, student, tutor }, records);
  await pay(cast, payment, currency);
  return payment;
}

async function openPayout(cast: Cast, record: EarnerRecord, { by, earns, givesUp }: Round): Promise<void> {
  if ('week' in by) {
    await together(Array.from({ length: by.week }, () => cast.triggerWeek()));
    return;
  }
  const { percent, copies, rivals } = by.button;
  const ask = (copies: Button['copies']) =>
    askForPayout(cast, record, percent === 100 ? undefined : partOf(earns, percent), { copies, givesUp });
  await together([ask(copies), ...Array.from({ length: rivals }, () => ask(1))]);
}

/** Of what is left of payments after the platform's share, and a little less. */
const partOf = (earns: readonly PaymentTerms[], percent: number) =>
  Math.round((earns.reduce((sum, { amount }) => sum + amount, 0) * 0.8 * percent) / 100);

/** Asks to be paid out; copies go out at once under one key, and all have to be answered alike. Whoever gives up looks later what came of it. */
async function askForPayout(
  cast: Cast,
  { person, plan, asks }: EarnerRecord,
  amount: number | undefined,
  { copies, givesUp }: { copies: number; givesUp: boolean },
): Promise<void> {
  const ask: AskRecord = { amount, at: { from: Date.now(), to: Number.POSITIVE_INFINITY } };
  asks.push(ask);
  const client = givesUp ? askingOnce(cast.client) : cast.client;
  const body = amount === undefined ? {} : { amount: { amount, currency: plan.currency } };
  const call = { key: randomUUID(), body };
  const send = () => askAs(client, person, 'POST', '/api/payouts/initiate', call);
  const ends = await Promise.allSettled(Array.from({ length: copies }, send));
  for (const end of ends) if (end.status === 'rejected' && !(end.reason instanceof GaveUp)) throw end.reason;
  const [reply, ...others] = ends.flatMap((end) => (end.status === 'fulfilled' ? [end.value] : []));
  ask.at.to = Date.now();
  if (!reply) return;
  ask.reply = reply;
  if (others.some((other) => saidBy(other) !== saidBy(reply)))
    throw new Error('copies of one request for a payout were answered differently');
}

const saidBy = ({ status, code, body }: Reply) =>
  `${status} ${code} ${status < 300 ? payoutSchema.parse(body).id : refusalSchema.parse(body).payoutId}`;

async function newestOf({ client }: Cast, { person }: EarnerRecord): Promise<PayoutView | undefined> {
  const reply = await askAs(client, person, 'GET', '/api/payouts');
  if (reply.status !== 200) throw unexpected('reading payouts', reply);
  return payoutsSchema.parse(reply.body).items[0];
}

/** The Schedule opens what it opens within seconds; whoever has too little, or had this week's, gets none. */
const WEEK_OPENS_WITHIN_MS = 15_000;
const WAITS_FOR_PAYEE = ['awaiting_onboarding', 'awaiting_bank_account'];

/** Waits until nothing goes on by itself with the newest payout, and tells Stripe meanwhile what it waits for, or has it called off. */
async function untilItRests(
  cast: Cast,
  record: EarnerRecord,
  { by, mends }: Round,
  before: PayoutView | undefined,
): Promise<void> {
  const began = performance.now();
  let mended = false;
  while (performance.now() - began < RESTS_WITHIN_MS) {
    const newest = await newestOf(cast, record);
    const isNew = newest !== undefined && newest.id !== before?.id;
    const mayCome = 'week' in by && !isNew && performance.now() - began < WEEK_OPENS_WITHIN_MS;
    if (!mayCome && (!newest || isOver(newest))) return;
    if (newest && WAITS_FOR_PAYEE.includes(newest.statusReason ?? '')) {
      if (mends === 'never') await cast.callOff(`payout:${newest.id}`);
      else if (!mended) await tellStripe(cast, record, 'takes');
      mended = true;
    }
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`a payout of earner ${record.plan.number} has not come to rest`);
}

const isOver = ({ status, returnedAt }: PayoutView) =>
  status === 'completed' || status === 'cancelled' || (status === 'failed' && returnedAt !== null);
