import { aboutAccounts } from './accounts';
import { aboutBus } from './bus';
import { claimsByPayment, UNCLAIMED } from './claims';
import { disputeBooks, disputeSagas } from './dispute-books';
import { judgeDispute } from './dispute-promises';
import { aboutDisputes, disputeEnds } from './disputes';
import type { ChaosEvidence } from './evidence';
import { grouped } from './grouped';
import { halfDone } from './half-done';
import { runningWorkflows } from './histories';
import { judgeMails } from './mails';
import { judgeAsks, judgeWallet, movementsOf } from './payout-promises';
import { aboutPayouts, payoutBooks, payoutEnds } from './payouts';
import { askAs, type Person } from './people';
import { contradictions, workflowTroubles } from './reconciliation';
import type { Cast, Records } from './records';
import { moneyAtStripe, sandboxState } from './stripe-state';
import { isOneOfMany, judgeBooking, judgePayment } from './verdict';
import {
  type BookingView,
  bookingSchema,
  type DisputeView,
  disputesSchema,
  type PaymentView,
  paymentSchema,
  type RefundView,
  refundsSchema,
  userSchema,
  walletSchema,
} from './wire';

export interface Findings {
  /** Everything that must not be, in sentences. */
  violations: string[];
  /** Business keys of mails that came twice by the one known limit. */
  mailsTwice: string[];
  mails: number;
  workflows: number;
  /** Ends of the bookings, as `status/reason`, with how many. */
  ends: Map<string, number>;
  /** Ends of the payouts, with how many. */
  payouts: Map<string, number>;
  /** Ends of the disputes, with how many. */
  disputes: Map<string, number>;
}

/** Compares what people were told, the databases, Stripe, Temporal and the mails with each other. */
export async function examine(cast: Cast, records: Records, evidence: ChaosEvidence): Promise<Findings> {
  const people = [
    ...[cast.admin, ...cast.students, ...cast.tutors, ...cast.earners],
    ...[...records.signUps, ...records.accounts].map(({ person }) => person),
  ];
  const ends = new Map<string, number>();
  const [books, left, sagas, post, promises, accounts, payouts, disputes, bus, taken] = await Promise.all([
    contradictions(evidence),
    halfDone(evidence),
    workflowTroubles(evidence, [...people, ...records.strangers]),
    judgeMails(evidence),
    promisesBroken(cast, records, evidence, ends),
    accountsBroken(people, evidence),
    payoutsBroken(cast, records, evidence),
    disputesBroken(cast, records, evidence),
    aboutBus(evidence),
    aboutAccounts(evidence),
  ]);
  return {
    violations: [
      ...evidence.uncaught(),
      ...records.broken,
      ...counted(cast.client.offences),
      ...promises,
      ...books,
      ...left,
      ...accounts,
      ...payouts.wrong,
      ...disputes.wrong,
      ...sagas.troubles,
      ...post.wrong,
      ...bus,
      ...taken,
    ],
    mailsTwice: post.twice,
    mails: post.mails,
    workflows: sagas.workflows,
    ends,
    payouts: payouts.ends,
    disputes: disputes.ends,
  };
}

function counted(sentences: string[]): string[] {
  const groups = grouped(sentences, (sentence) => sentence);
  return [...groups].map(([sentence, all]) => (all.length > 1 ? `${sentence} (${all.length} times)` : sentence));
}

async function promisesBroken(
  { client }: Cast,
  { bookings, payments, signUps, accounts }: Records,
  evidence: ChaosEvidence,
  ends: Map<string, number>,
): Promise<string[]> {
  const wrong: string[] = [];
  const [shares, refused, claims] = await Promise.all([
    evidence.database('booking')<{ id: string; percent: number | null }[]>`
      select id, refund_percent as percent from bookings`,
    evidence.database('payment')<{ id: string }[]>`
      select distinct payment_id as id from refunds where tries > 1 or status = 'failed'`,
    claimsByPayment(evidence.database('payment')),
  ]);
  const claimedOf = (paymentId: string | undefined) => claims.get(paymentId ?? '') ?? UNCLAIMED;
  const percent = new Map(shares.map((row) => [row.id, row.percent]));
  const wasRefused = new Set(refused.map(({ id }) => id));
  for (const record of bookings) {
    let booking: BookingView | undefined;
    if (record.id) {
      const reply = await askAs(client, record.student, 'GET', `/api/bookings/${record.id}`);
      booking = reply.status === 200 ? bookingSchema.parse(reply.body) : undefined;
    }
    const end = booking ? `${booking.status}${booking.statusReason ? ` (${booking.statusReason})` : ''}` : 'no booking';
    ends.set(end, (ends.get(end) ?? 0) + 1);
    const paymentId = booking?.payment?.id;
    const refunds = paymentId ? await refundsOf(client, record.student, paymentId) : [];
    const refundPercent = percent.get(record.id ?? '') ?? null;
    const money = {
      refundPercent,
      refunds,
      wasRefused: wasRefused.has(paymentId ?? ''),
      claimed: claimedOf(paymentId),
    };
    const others = bookings.filter((other) => other !== record && other.student === record.student);
    wrong.push(...judgeBooking(record, { booking, isOneOfMany: isOneOfMany(record, others, booking), ...money }));
  }
  for (const record of payments) {
    let payment: PaymentView | undefined;
    const path = `/api/payments/${record.id}`;
    if (record.id) {
      const reply = await askAs(client, record.student, 'GET', path);
      payment = reply.status === 200 ? paymentSchema.parse(reply.body) : undefined;
    }
    const refunds = payment ? await refundsOf(client, record.student, payment.id) : [];
    wrong.push(...judgePayment(record, payment, refunds, claimedOf(payment?.id)));
  }
  for (const { person } of [...signUps, ...accounts]) {
    const reply = await askAs(client, person, 'GET', '/api/auth/me');
    const user = reply.status === 200 ? userSchema.parse(reply.body) : undefined;
    if (user?.status !== 'active') wrong.push(`${person.email} signed up and is ${user?.status ?? reply.status}`);
  }
  const state = await sandboxState(evidence);
  for (const { id } of payments) {
    const stripe = id ? moneyAtStripe(state, id, 'paymentId') : undefined;
    if (stripe && stripe.charges > 1) wrong.push(`payment ${id} was charged ${stripe.charges} times`);
  }
  return [...wrong, ...(await copiesDiffer(evidence))];
}

/** What payees were told and see, their payouts, the ledger and Stripe have to agree. */
async function payoutsBroken(
  { client, tutors, earners }: Cast,
  records: Records,
  evidence: ChaosEvidence,
): Promise<{ wrong: string[]; ends: Findings['payouts'] }> {
  const [books, state, movements] = await Promise.all([
    runningWorkflows(evidence.temporal).then((running) => payoutBooks(evidence, running)),
    sandboxState(evidence),
    movementsOf(evidence.database('payment')),
  ]);
  const wallets: string[] = [];
  for (const person of [...tutors, ...earners]) {
    const reply = await askAs(client, person, 'GET', '/api/wallet');
    wallets.push(...judgeWallet(person.id, walletSchema.parse(reply.body), books));
  }
  const promises = records.earners.flatMap((record) => {
    const mine = books.payouts.filter(({ payee }) => payee === record.person.id);
    return judgeAsks(record, mine, movements.get(record.person.id) ?? []);
  });
  return { wrong: [...promises, ...wallets, ...aboutPayouts(books, state)], ends: payoutEnds(books, state) };
}

/** What payees and administrators were told of disputes, their rows, the ledger and Stripe have to agree. */
async function disputesBroken(
  { client }: Cast,
  records: Records,
  evidence: ChaosEvidence,
): Promise<{ wrong: string[]; ends: Findings['disputes'] }> {
  const [rows, state] = await Promise.all([disputeBooks(evidence), sandboxState(evidence)]);
  const books = { ...rows, sagas: await disputeSagas(evidence.temporal, rows.disputes) };
  const promises: string[] = [];
  for (const [, mine] of grouped(records.disputes, ({ payee }) => payee.id)) {
    const [first] = mine;
    const shown = first ? await disputesOf(client, first.payee) : [];
    for (const record of mine) {
      const atStripe = state.disputes.find(({ id }) => id === record.stripeId);
      const view = shown.find(({ paymentId }) => paymentId === record.paymentId);
      promises.push(...judgeDispute(record, view, atStripe));
    }
  }
  return { wrong: [...promises, ...aboutDisputes(books, state.disputes)], ends: disputeEnds(books) };
}

async function disputesOf(client: Cast['client'], payee: Person): Promise<DisputeView[]> {
  const found: DisputeView[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const path = `/api/disputes?limit=100${cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`}`;
    const page = disputesSchema.parse((await askAs(client, payee, 'GET', path)).body);
    found.push(...page.items);
    cursor = page.nextCursor;
  }
  return found;
}

async function refundsOf(client: Cast['client'], who: Person, paymentId: string): Promise<RefundView[]> {
  const reply = await askAs(client, who, 'GET', `/api/payments/${paymentId}/refunds`);
  return refundsSchema.parse(reply.body).items;
}

/** Payments that booking shows differently from what payment says of them, in sentences. */
async function copiesDiffer(evidence: ChaosEvidence): Promise<string[]> {
  interface Row {
    booking_id: string;
    is: string;
  }
  const [shown, real] = await Promise.all([
    evidence.database('booking')<Row[]>`
      select booking_id, status || ' ' || captured || '-' || refunded as is from payments`,
    evidence.database('payment')<Row[]>`
      select subject_id as booking_id, status || ' ' || captured || '-' || refunded as is
      from payments where subject_kind = 'booking'`,
  ]);
  const copy = new Map(shown.map((row) => [row.booking_id, row.is]));
  return real
    .filter((row) => copy.get(row.booking_id) !== row.is)
    .map(
      (row) =>
        `booking ${row.booking_id} shows its payment as ${copy.get(row.booking_id) ?? 'none'}, and it is ${row.is}`,
    );
}

/** People who have not exactly one account at Stripe, and accounts at Stripe of nobody, in sentences. */
async function accountsBroken(people: Person[], evidence: ChaosEvidence): Promise<string[]> {
  const { customers, accounts } = await sandboxState(evidence);
  const atStripe = grouped([...customers, ...accounts], ({ metadata }) => metadata.userId ?? '');
  const users = await evidence.database('identity')<{ email: string; id: string; status: string }[]>`
    select id, email, status from users`;
  // Also of those who gave up signing up: an account that is there is whole.
  const whole = new Map(
    [...people, ...users.filter(({ status }) => status === 'active')].map(({ id, email }) => [id, email]),
  );
  return [
    ...[...whole]
      .map(([id, email]) => ({ email, count: atStripe.get(id)?.length ?? 0 }))
      .filter(({ count }) => count !== 1)
      .map(({ email, count }) => `${email} has ${count} accounts at Stripe`),
    ...[...atStripe.keys()]
      .filter((id) => !users.some((user) => user.id === id))
      .map((id) => `an account at Stripe belongs to ${id}, who is no user`),
  ];
}
