import { setTimeout as sleep } from 'node:timers/promises';
import { askAs, type Person, unexpected } from './people';
import type { DisputePlan } from './plan';
import type { Cast, DisputeRecord, Records } from './records';
import { LOOK_EVERY_MS, RESTS_WITHIN_MS } from './requests';
import { together } from './together';
import { disputesSchema } from './wire';

/** Why an administrator does it. */
const BECAUSE = { body: { reason: 'As the plan has it' } };

/** A payment that is disputed, and who was paid by it. */
interface Concerned {
  paymentId: string;
  payee: Person;
}

/** Does `work` to a payment, which is disputed before, meanwhile or after, if the plan says so. All of it is played to its end. */
export async function disputing(
  cast: Cast,
  of: Concerned,
  plan: DisputePlan | undefined,
  records: Records,
  work: () => Promise<unknown>,
): Promise<void> {
  if (plan?.when === 'before') {
    const record = await dispute(cast, of, plan, records);
    await together([work(), pursue(cast, record)]);
  } else if (plan?.when === 'beside') {
    const whole = async () => pursue(cast, await dispute(cast, of, plan, records));
    await together([work(), whole()]);
  } else {
    await work();
    if (plan) await pursue(cast, await dispute(cast, of, plan, records));
  }
}

async function dispute(cast: Cast, of: Concerned, plan: DisputePlan, records: Records): Promise<DisputeRecord> {
  // Nobody's words may be in a history, which a name shows.
  const statement = `${of.payee.firstName} ${of.payee.lastName} was there, and has the notes of payment ${of.paymentId}.`;
  const record: DisputeRecord = { plan, ...of, statement, stripeId: undefined };
  records.disputes.push(record);
  record.stripeId = await cast.cardBanks.dispute(of.paymentId, plan);
  return record;
}

/** What is said against it, and what the bank says. */
async function pursue(cast: Cast, record: DisputeRecord): Promise<void> {
  const { plan, stripeId } = record;
  if (stripeId === undefined) return;
  await sleep(plan.pauseMs);
  if (plan.answer !== 'nothing') await answer(cast, record);
  for (const verdict of plan.verdicts) {
    await sleep(plan.pauseMs);
    await cast.cardBanks.say(stripeId, verdict);
  }
}

async function answer(cast: Cast, record: DisputeRecord): Promise<void> {
  const { client, admin } = cast;
  const { plan, payee, statement: text } = record;
  const path = `/api/disputes/${await untilKnown(cast, record)}`;
  if (plan.answer === 'accepted') {
    record.accepted = await askAs(client, admin, 'POST', `${path}/accept`, BECAUSE);
    return;
  }
  record.stated = await askAs(client, payee, 'PUT', `${path}/evidence`, { body: { text } });
  if (plan.answer === 'submitted') record.submitted = await askAs(client, admin, 'POST', `${path}/submit`, BECAUSE);
}

/** A webhook is not waited for longer: the Schedule of the night finds what none told of. */
const NIGHT_COMES_AFTER_MS = 15_000;

/** Waits until its payee sees it. @returns its id */
async function untilKnown(cast: Cast, { payee, paymentId }: DisputeRecord): Promise<string> {
  const began = performance.now();
  for (let nights = 0; performance.now() - began < RESTS_WITHIN_MS; ) {
    const reply = await askAs(cast.client, payee, 'GET', '/api/disputes?limit=100');
    if (reply.status !== 200) throw unexpected('reading disputes', reply);
    const known = disputesSchema.parse(reply.body).items.find((one) => one.paymentId === paymentId);
    if (known) return known.id;
    if (performance.now() - began > (nights + 1) * NIGHT_COMES_AFTER_MS) {
      nights += 1;
      await cast.triggerNight();
    }
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`the dispute of payment ${paymentId} was not found within ${RESTS_WITHIN_MS / 1_000} s`);
}
