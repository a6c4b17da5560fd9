import type { Client } from '@temporalio/client';
import type { Sql } from 'postgres';
import type { DatabaseContext } from '../../kernel/contexts';
import { sweepSchedule } from '../../workflows/sweep.api';
import { messageOf } from '../machine/error-code';
import { currentDetails, failedWorkflowTasks, historyOf, textOf } from './histories';
import { moneyAtStripe, type SandboxState, sandboxState } from './stripe-state';

/** Access to everything that has to agree. */
export interface Evidence {
  /** A request to the Stripe sandbox's controls. */
  sandbox(method: string, path: string): Promise<{ body: unknown }>;
  /** Looks into a context's database. */
  database(context: DatabaseContext): Sql;
  temporal: Client;
}

interface BookingRow {
  id: string;
  tutor_id: string;
  status: string;
  status_reason: string | null;
  starts_at: Date;
  ends_at: Date;
  retained: string | null;
  price: string;
}

interface PaymentRow {
  booking_id: string;
  status: string;
  captured: string;
  refunded: string;
}

interface SlotRow {
  booking_id: string | null;
  reserved_by: string | null;
  tutor_id: string;
  state: string;
  starts_at: Date;
  ends_at: Date;
}

/** Everything that does not agree, in sentences; empty when all does. */
export async function contradictions(evidence: Evidence): Promise<string[]> {
  const [bookings, payments, slots, state] = await Promise.all([
    evidence.database('booking')<BookingRow[]>`
      select b.id, b.tutor_id, b.status, b.status_reason, b.starts_at, b.ends_at, b.retained, s.price
      from bookings b join booking_snapshots s on s.booking_id = b.id`,
    evidence.database('payment')<PaymentRow[]>`
      select booking_id, status, captured, refunded from payments where booking_id is not null`,
    evidence.database('tutoring')<SlotRow[]>`
      select booking_id, reserved_by, tutor_id, state, lower(during) as starts_at, upper(during) as ends_at from slots`,
    sandboxState(evidence),
  ]);
  const paymentOf = new Map(payments.map((row) => [row.booking_id, row]));
  const slotOf = new Map(slots.map((row) => [row.booking_id, row]));
  return [
    ...bookings.flatMap((booking) => [
      ...aboutMoney(booking, paymentOf.get(booking.id), moneyAtStripe(state, booking.id)),
      ...aboutSlot(booking, slotOf.get(booking.id)),
    ]),
    ...overlaps('live bookings', bookings.filter(isLive)),
    ...overlaps('slots', slots),
    ...slots.flatMap(({ reserved_by: id }) => (id === null ? [] : [`booking ${id} still reserves a time for a move`])),
    ...slots
      .filter(({ booking_id, reserved_by }) => !bookings.some(({ id }) => id === (booking_id ?? reserved_by)))
      .map(() => 'a slot has no booking'),
    ...(await aboutLedger(evidence, state)),
  ];
}

const isLive = ({ status }: BookingRow) => status === 'pending' || status === 'confirmed';

function aboutMoney(
  booking: BookingRow,
  payment: PaymentRow | undefined,
  stripe: ReturnType<typeof moneyAtStripe>,
): string[] {
  const { id, status, status_reason: reason } = booking;
  const price = Number(booking.price);
  const captured = Number(payment?.captured ?? 0);
  const refunded = Number(payment?.refunded ?? 0);
  const kept = captured - refunded;
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds)
      wrong.push(`booking ${id} (${status}/${reason}): ${what}; it has ${captured}-${refunded} ${payment?.status}`);
  };
  if (status === 'confirmed' || status === 'completed') expect(captured === price && refunded === 0, 'is not paid');
  else if (status === 'refunded') expect(captured > 0 && kept === 0, 'is not refunded');
  else if (status === 'cancelled') expect(kept === Number(booking.retained ?? 0), 'keeps money');
  else expect(captured === 0, 'is paid though pending');
  if (reason === 'awaiting_tutor') expect(stripe.reserved === price, 'has no authorisation');
  else expect(stripe.reserved === 0, 'still reserves money at Stripe');
  expect(stripe.captured === captured && stripe.refunded === refunded, `Stripe says ${JSON.stringify(stripe)}`);
  expect(stripe.charges <= 1 && stripe.intents.length <= 1, `was charged more than once: ${JSON.stringify(stripe)}`);
  return wrong;
}

function aboutSlot({ id, status, starts_at, ends_at }: BookingRow, slot: SlotRow | undefined): string[] {
  const has = slot ? `${slot.state} ${slot.starts_at.toISOString()}/${slot.ends_at.toISOString()}` : 'none';
  const times = `${starts_at.toISOString()}/${ends_at.toISOString()}`;
  const fits =
    status === 'confirmed'
      ? has === `booked ${times}`
      : status === 'pending'
        ? has.endsWith(times)
        : has === 'none' || status === 'completed';
  return fits ? [] : [`booking ${id} (${status}) at ${times} has slot ${has}`];
}

function overlaps(what: string, rows: { tutor_id: string; starts_at: Date; ends_at: Date }[]): string[] {
  return rows.flatMap((one, index) =>
    rows
      .slice(index + 1)
      .filter(
        (other) => other.tutor_id === one.tutor_id && other.starts_at < one.ends_at && one.starts_at < other.ends_at,
      )
      .map(() => `two ${what} of tutor ${one.tutor_id} share ${one.starts_at.toISOString()}`),
  );
}

async function aboutLedger(evidence: Evidence, { totals }: SandboxState): Promise<string[]> {
  const sql = evidence.database('payment');
  const [unbalanced, balances, [paid]] = await Promise.all([
    sql<{ id: string }[]>`select transaction_id as id from ledger_entries group by 1 having sum(amount) <> 0`,
    sql<{ account: string; amount: string }[]>`
      select split_part(account, ':', 1) as account, sum(amount) as amount from ledger_entries group by 1`,
    sql<{ captured: string; refunded: string }[]>`
      select coalesce(sum(captured), 0) as captured, coalesce(sum(refunded), 0) as refunded from payments`,
  ]);
  const ledger = new Map(balances.map(({ account, amount }) => [account, Number(amount)]));
  const { captured, refunded, fees, balance } = totals.eur ?? { captured: 0, refunded: 0, fees: 0, balance: 0 };
  const pairs: [string, number, number][] = [
    ['captured less refunds and fees at Stripe, and its balance', captured - refunded - fees, balance],
    ['stripe_balance of the ledger, and at Stripe', ledger.get('stripe_balance') ?? 0, balance],
    ['stripe_fees of the ledger, and at Stripe', ledger.get('stripe_fees') ?? 0, fees],
    ['captured by the payments, and at Stripe', Number(paid?.captured), captured],
    ['refunded by the payments, and at Stripe', Number(paid?.refunded), refunded],
  ];
  return [
    ...unbalanced.map(({ id }) => `ledger transaction ${id} does not sum to zero`),
    ...pairs
      .filter(([, ours, theirs]) => ours !== theirs)
      .map(([what, ours, theirs]) => `${what}: ${ours} is not ${theirs}`),
  ];
}

/** What is wrong with the workflows of the platform, in sentences: failing tasks, unknown waits, people's data in histories. */
export async function workflowTroubles(
  { temporal }: Pick<Evidence, 'temporal'>,
  people: readonly { email: string; firstName: string; lastName: string }[],
): Promise<{ troubles: string[]; workflows: number }> {
  const troubles: string[] = [];
  let workflows = 0;
  const secrets = people.flatMap(({ email, firstName, lastName }) => [email, firstName, lastName]);
  for await (const { workflowId, type, status } of temporal.workflow.list()) {
    const events = await historyOf(temporal, workflowId);
    troubles.push(...failedWorkflowTasks(events).map((cause) => `${workflowId}: a workflow task failed, ${cause}`));
    const text = textOf(events);
    troubles.push(...secrets.filter((word) => text.includes(word)).map((word) => `${workflowId} names ${word}`));
    // Runs of a Schedule come and go, and one that could not do its work in time leaves it to the next.
    if (type === sweepSchedule.workflowType) continue;
    workflows += 1;
    if (status.name !== 'RUNNING' && status.name !== 'COMPLETED') troubles.push(`${workflowId} is ${status.name}`);
    if (status.name === 'RUNNING') troubles.push(...(await unnamedWaits(temporal, workflowId)));
  }
  return { troubles, workflows };
}

/** The states in which a running saga may rest. */
export const WAITING = ['Confirmed', 'AwaitingTutor', 'AwaitingPayment'];

/** A running saga waits for something with a name, and for nothing else. */
async function unnamedWaits(temporal: Client, workflowId: string): Promise<string[]> {
  const handle = temporal.workflow.getHandle(workflowId);
  const { raw, searchAttributes } = await handle.describe();
  const saga = String(searchAttributes.SagaState?.[0]);
  const attempt = raw.pendingWorkflowTask?.attempt ?? 0;
  const activities = (raw.pendingActivities ?? []).map(({ activityType }) => activityType?.name);
  // A saga whose workflow task hangs answers no query either.
  const details = await currentDetails(handle).catch((error: unknown) => error);
  return [
    ...(WAITING.includes(saga) ? [] : [`${workflowId} still runs and is ${saga}`]),
    ...(attempt > 1 ? [`${workflowId} tries its workflow task for the ${attempt}th time`] : []),
    ...(activities.length > 0 ? [`${workflowId} still runs ${activities.join(', ')}`] : []),
    ...(typeof details === 'string' ? [] : [`${workflowId} answers no query: ${messageOf(details)}`]),
    ...(details === '' ? [`${workflowId} does not say what it waits for`] : []),
  ];
}
