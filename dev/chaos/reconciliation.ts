import type { Client, WorkflowExecutionInfo } from '@temporalio/client';
import type { Sql } from 'postgres';
import type { DatabaseContext } from '../../kernel/modules';
import { dailyContactsSchedule } from '../../workflows/daily-contacts.api';
import { dailyDebtsSchedule } from '../../workflows/daily-debts.api';
import { dailyDisputesSchedule } from '../../workflows/daily-disputes.api';
import { dailyFoldsSchedule } from '../../workflows/daily-folds.api';
import { sweepSchedule } from '../../workflows/sweep.api';
import { weeklyPayoutsSchedule } from '../../workflows/weekly-payouts.api';
import { messageOf } from '../machine/error-code';
import { type Claimed, claimsByPayment, UNCLAIMED } from './claims';
import { currentDetails, failedWorkflowTasks, historyOf, textOf, tookTooLong } from './histories';
import { aboutLedger } from './ledger';
import { type Replayed, replayTroubles } from './replays';
import { moneyAtStripe, sandboxState } from './stripe-state';

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
  student_id: string;
  tutor_id: string;
  status: string;
  status_reason: string | null;
  starts_at: Date;
  ends_at: Date;
  refund_percent: number | null;
  price: string;
}

interface PaymentRow {
  id: string;
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
  const [bookings, payments, slots, state, claims] = await Promise.all([
    evidence.database('booking')<BookingRow[]>`
      select b.id, b.student_id, b.tutor_id, b.status, b.status_reason, b.starts_at, b.ends_at, b.refund_percent, s.price
      from bookings b join booking_snapshots s on s.booking_id = b.id`,
    evidence.database('payment')<PaymentRow[]>`
      select id, subject_id as booking_id, status, captured, refunded from payments where subject_kind = 'booking'`,
    evidence.database('tutoring')<SlotRow[]>`
      select booking_id, reserved_by, tutor_id, state, lower(during) as starts_at, upper(during) as ends_at from slots`,
    sandboxState(evidence),
    claimsByPayment(evidence.database('payment')),
  ]);
  const paymentOf = new Map(payments.map((row) => [row.booking_id, row]));
  const slotOf = new Map(slots.map((row) => [row.booking_id, row]));
  return [
    ...bookings.flatMap((booking) => {
      const payment = paymentOf.get(booking.id);
      const claimed = claims.get(payment?.id ?? '') ?? UNCLAIMED;
      return [
        ...aboutMoney(booking, payment, claimed, moneyAtStripe(state, booking.id)),
        ...aboutSlot(booking, slotOf.get(booking.id)),
      ];
    }),
    ...overlaps('live bookings of tutor', bookings.filter(isLive), ({ tutor_id }) => tutor_id),
    ...overlaps('live bookings of student', bookings.filter(isLive), ({ student_id }) => student_id),
    ...overlaps('slots of tutor', slots, ({ tutor_id }) => tutor_id),
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
  { taken, chargedBack, givenUp, wonLate }: Claimed,
  stripe: ReturnType<typeof moneyAtStripe>,
): string[] {
  const { id, status, status_reason: reason } = booking;
  const price = Number(booking.price);
  const captured = Number(payment?.captured ?? 0);
  const refunded = Number(payment?.refunded ?? 0);
  const kept = captured - refunded - chargedBack;
  // Other refunds may have come before a share or after it, so that less is kept. More never is, unless a share was of less for a while.
  const shared = wonLate ? Math.max(0, captured - taken) : captured;
  const most = captured - Math.ceil((shared * (booking.refund_percent ?? 100)) / 100);
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds)
      wrong.push(
        `booking ${id} (${status}/${reason}): ${what}; it has ${captured}-${refunded}-${chargedBack} ${payment?.status}`,
      );
  };
  if (status === 'confirmed' || status === 'completed') expect(captured === price, 'is not paid');
  else if (status === 'refunded') expect(captured > 0 && kept === 0, 'is not refunded');
  else if (status === 'cancelled') {
    expect(captured === 0 || captured > refunded, 'has everything back');
    expect(kept <= most + givenUp, 'keeps money');
  } else expect(captured === 0, 'is paid though pending');
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

interface Timed {
  starts_at: Date;
  ends_at: Date;
}

function overlaps<T extends Timed>(what: string, rows: readonly T[], whose: (row: T) => string): string[] {
  return rows.flatMap((one, index) =>
    rows
      .slice(index + 1)
      .filter((other) => whose(other) === whose(one) && other.starts_at < one.ends_at && one.starts_at < other.ends_at)
      .map(() => `two ${what} ${whose(one)} share ${one.starts_at.toISOString()}`),
  );
}

/** What is wrong with the workflows of the platform, in sentences: failing tasks, histories that do not replay, unknown waits, people's data in histories. */
export async function workflowTroubles(
  { temporal }: Pick<Evidence, 'temporal'>,
  people: readonly { email: string; firstName: string; lastName: string }[],
): Promise<{ troubles: string[]; workflows: number }> {
  const histories: Replayed[] = [];
  const secrets = people.flatMap(({ email, firstName, lastName }) => [email, firstName, lastName]);
  const namedIn = finderOf(secrets);
  const listed: WorkflowExecutionInfo[] = [];
  for await (const workflow of temporal.workflow.list()) listed.push(workflow);

  async function troublesOf({ workflowId, type, status }: WorkflowExecutionInfo): Promise<string[]> {
    const events = await historyOf(temporal, workflowId);
    histories.push({ workflowId, events });
    const failed = failedWorkflowTasks(events).filter((failure) => !tookTooLong(failure));
    const isWaiting = !isScheduled(type) && status.name === 'RUNNING';
    return [
      ...failed.map((cause) => `${workflowId}: a workflow task failed, ${cause}`),
      ...namedIn(textOf(events)).map((word) => `${workflowId} names ${word}`),
      ...(isSound(type, status.name) ? [] : [`${workflowId} is ${status.name}`]),
      ...(isWaiting ? await unnamedWaits(temporal, workflowId) : []),
    ];
  }

  const troubles: string[] = [];
  const left = listed.values();
  const lane = async () => {
    for (const workflow of left) troubles.push(...(await troublesOf(workflow)));
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  const workflows = listed.filter(({ type }) => !isScheduled(type)).length;
  return { troubles: [...troubles, ...(await replayTroubles(histories))], workflows };
}

/** So many workflows are looked at beside each other: each has to be asked for more than once. */
const LANES = 8;

/** Runs of a Schedule come and go, and one that could not do its work in time leaves it to the next. */
const isSound = (type: string, status: string) => isScheduled(type) || status === 'RUNNING' || status === 'COMPLETED';

/** The workflows that Schedules start: they are nobody's saga. */
export const SCHEDULED: readonly string[] = [
  sweepSchedule,
  weeklyPayoutsSchedule,
  dailyContactsSchedule,
  dailyDebtsSchedule,
  dailyDisputesSchedule,
  dailyFoldsSchedule,
].map(({ workflowType }) => workflowType);
const isScheduled = (type: string) => SCHEDULED.includes(type);

/** Finds which of the words a text contains. To look for each alone takes seconds for many people and histories, and nearly all have none. */
function finderOf(words: readonly string[]): (text: string) => string[] {
  const any = new RegExp(words.map((word) => word.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|'));
  return (text) => (any.test(text) ? words.filter((word) => text.includes(word)) : []);
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
