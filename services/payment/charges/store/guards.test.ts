import type { TransactionSql } from 'postgres';
import type { Database } from '../../../../db/client';
import { ProblemError } from '../../../../kernel/errors';
import { uuidv7 } from '../../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../../tests/support/database';
import { EUR, ofBooking, until } from '../../../../tests/support/payment';
import { markSubjectSettled } from '../../settlement/store';
import { beginCharge } from './attempts';
import { takeGuard } from './guards';

// A service of before runs beside one of today while a release is rolled out, on one database. It knows bookings alone: what it says to
// the database stands here, as it says it.

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('payment');
});
afterAll(() => database.drop());

const people = { payerId: uuidv7(), payeeId: uuidv7() };
const wanted = { ...people, amount: EUR(1000), paymentMethodId: 'pm_card_visa', capture: 'automatic' as const };
const keyOf = (bookingId: string) => `booking:${bookingId}/take-payment`;

/** Of a charge the payment's id, or why there is none; of a settlement the id of the payment that is marked, if there is one. */
type Outcome = string | null;

const orCode = (error: unknown): string => {
  if (error instanceof ProblemError) return error.code;
  throw error;
};

async function chargeAsBefore(tx: TransactionSql, bookingId: string): Promise<Outcome> {
  const [guard] = await tx`
    insert into booking_guards (booking_id, settled_at) values (${bookingId}, default)
    on conflict (booking_id) do update set settled_at = booking_guards.settled_at returning booking_id, settled_at`;
  if (guard?.settled_at) return 'undone';
  const [made] = await tx`
    insert into payments (id, booking_id, payer_id, payee_id, status, capture, currency, amount, fee, payment_method_id)
    values (${uuidv7()}, ${bookingId}, ${people.payerId}, ${people.payeeId}, 'pending', 'automatic', 'EUR', 1000, 150, 'pm_card_visa')
    on conflict (booking_id) do nothing returning id`;
  if (made) return made.id;
  const [existing] = await tx`select id from payments where booking_id = ${bookingId} for update`;
  return existing?.id;
}

async function settleAsBefore(tx: TransactionSql, bookingId: string): Promise<Outcome> {
  await tx`
    insert into booking_guards (booking_id, settled_at) values (${bookingId}, now())
    on conflict (booking_id) do update set settled_at = coalesce(booking_guards.settled_at, now())`;
  const [row] = await tx`select id from payments where booking_id = ${bookingId} for update`;
  if (!row) return null;
  await tx`update payments set settled_at = now() where id = ${row.id}`;
  return row.id;
}

const chargeToday = (db: Database, bookingId: string): Promise<Outcome> =>
  beginCharge(db, keyOf(bookingId), ofBooking(bookingId), wanted, 15).then(({ payment }) => payment.id, orCode);
const settleToday = async (db: Database, bookingId: string): Promise<Outcome> =>
  (await markSubjectSettled(db, ofBooking(bookingId)))?.id ?? null;

/** Of whoever comes first: says that the work is done, and has the transaction held open until the other one waits. */
interface Turn {
  worked(): void;
  held: Promise<void>;
}

/** Each does its work in one transaction, which ends when its turn does. */
const writers = {
  before: {
    charge: (id: string, turn?: Turn) => asBefore((tx) => chargeAsBefore(tx, id), turn),
    settle: (id: string, turn?: Turn) => asBefore((tx) => settleAsBefore(tx, id), turn),
  },
  today: {
    charge: (id: string, turn?: Turn) => asToday((db) => chargeToday(db, id), turn),
    settle: (id: string, turn?: Turn) => asToday((db) => settleToday(db, id), turn),
  },
};

function asBefore(work: (tx: TransactionSql) => Promise<Outcome>, turn?: Turn): Promise<Outcome> {
  return database.sql.begin(async (tx) => {
    const outcome = await work(tx);
    turn?.worked();
    await turn?.held;
    return outcome;
  });
}

function asToday(work: (db: Database) => Promise<Outcome>, turn?: Turn): Promise<Outcome> {
  return database.db.transaction(async (tx) => {
    const outcome = await work(tx);
    turn?.worked();
    await turn?.held;
    return outcome;
  });
}

const somebodyWaits = async () =>
  (await database.sql`select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`)
    .length > 0;

/** Has `second` begin while `first` has done its work and not yet committed: it has to wait. */
async function oneAfterTheOther(
  first: (turn: Turn) => Promise<Outcome>,
  second: () => Promise<Outcome>,
): Promise<Outcome[]> {
  let commit = () => {};
  const held = new Promise<void>((resolve) => {
    commit = resolve;
  });
  let worked = () => {};
  const hasWorked = new Promise<void>((resolve) => {
    worked = resolve;
  });
  const leading = first({ held, worked });
  await Promise.race([hasWorked, leading]);
  const following = second();
  await until(somebodyWaits);
  commit();
  return Promise.all([leading, following]);
}

const paymentsOf = (bookingId: string) =>
  database.sql`select id, subject_id as subject, booking_id as booking, settled_at is not null as settled
    from payments where booking_id = ${bookingId} or subject_id = ${bookingId}`;

const pairs = [
  ['before', 'before'],
  ['before', 'today'],
  ['today', 'before'],
  ['today', 'today'],
] as const;

describe.each(pairs)('of a service of %s and one of %s that comes a moment later', (one, other) => {
  test('the second finds the payment of the first', async () => {
    const id = uuidv7();
    const [first, second] = await oneAfterTheOther(
      (turn) => writers[one].charge(id, turn),
      () => writers[other].charge(id),
    );
    expect(second).toBe(first);
    expect(await paymentsOf(id)).toEqual([{ id: first, subject: id, booking: id, settled: false }]);
  });

  test('a settlement finds the payment, and whoever charges then is refused', async () => {
    const id = uuidv7();
    const [payment, marked] = await oneAfterTheOther(
      (turn) => writers[one].charge(id, turn),
      () => writers[other].settle(id),
    );
    expect(marked).toBe(payment);
    expect(await paymentsOf(id)).toEqual([{ id: payment, subject: id, booking: id, settled: true }]);
    expect([await writers.before.charge(id), await writers.today.charge(id)]).toEqual(['undone', 'undone']);
  });

  test('a settlement that comes first has the charge refused, and no payment is made', async () => {
    const id = uuidv7();
    const [marked, refused] = await oneAfterTheOther(
      (turn) => writers[one].settle(id, turn),
      () => writers[other].charge(id),
    );
    expect([marked, refused]).toEqual([null, 'undone']);
    expect(await paymentsOf(id)).toEqual([]);
  });
});

test('however services of both ages charge and settle at once, a booking has one payment, and none that outlives its settlement', async () => {
  for (let round = 0; round < 25; round++) {
    const id = uuidv7();
    const charges = Array.from({ length: 3 }, () => [writers.before.charge(id), writers.today.charge(id)]).flat();
    const settlements = round % 2 === 0 ? [] : [writers.before.settle(id), writers.today.settle(id)];
    const [charged, marked] = await Promise.all([Promise.all(charges), Promise.all(settlements)]);
    const made = await paymentsOf(id);
    expect(made.length).toBeLessThan(2);
    const [payment] = made;
    for (const outcome of charged) expect([payment?.id, 'undone']).toContain(outcome);
    if (settlements.length === 0) expect(charged).not.toContain('undone');
    else {
      for (const outcome of marked) expect(outcome).toBe(payment?.id ?? null);
      if (payment) expect(payment.settled).toBe(true);
    }
  }
});

test('a mark is seen where the code of before has left a guard without one', async () => {
  const id = uuidv7();
  await writers.before.charge(id);
  await writers.today.settle(id);
  expect(await writers.before.charge(id)).toBe('undone');
  const guards = await database.sql`
    select o.settled_at = n.settled_at as same from booking_guards o join payment_guards n on n.subject_id = o.booking_id
    where o.booking_id = ${id}`;
  expect(guards).toEqual([{ same: true }]);
});

test('a step that a service of before has begun goes on as the same attempt at the same payment', async () => {
  const id = uuidv7();
  const payment = await writers.before.charge(id);
  await database.sql`
    insert into stripe_attempts (step_key, number, kind, subject) values (${keyOf(id)}, 1, 'create_intent', ${payment})`;
  const begun = await beginCharge(database.db, keyOf(id), ofBooking(id), wanted, 15);
  expect(begun).toMatchObject({ payment: { id: payment }, attempt: { stripeKey: `${keyOf(id)}/1`, fresh: false } });
});

test('a guard is its subject’s alone: what has the same id and is of another kind is another subject', async () => {
  const id = uuidv7();
  await database.sql`insert into payment_guards (subject_kind, subject_id, settled_at) values ('package', ${id}, now())`;
  await expect(database.db.transaction((tx) => takeGuard(tx, ofBooking(id)))).resolves.toBeUndefined();
  expect(await writers.before.charge(id)).not.toBe('undone');
});
