import { uuidv7 } from '../../../platform/ids';
import {
  chargeBooking,
  EUR,
  HANG_MS,
  newBooking,
  type Paid,
  type PaymentStack,
  refundsAt,
  startPaymentStack,
  until,
} from '../../../tests/support/payment';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 50 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { paid, release, refunded, tutorHas, share, expectLedgerIsStripes } = refundsAt(() => stack);

const HOUR_MS = 3_600_000;
const inHours = (hours: number) => new Date(Date.now() + hours * HOUR_MS).toISOString();
const sweep = async () => (await stack.post('/earnings/sweep')).body;
const PENDING = { pending: 3825, payable: 0 };
const PAYABLE = { pending: 0, payable: 3825 };

/** Lets the time until a payment's share is due pass, for this payment alone. */
const letPass = ({ paymentId }: Paid) =>
  stack.service.database.sql`update payments set earnings_due_at = now() - interval '1 second' where id = ${paymentId}`;
async function times({ paymentId }: Paid): Promise<{ due: number; available: number }> {
  const [found] = await stack.service.database.sql<{ due: string; available: string }[]>`
    select extract(epoch from earnings_due_at) * 1000 as due, extract(epoch from available_on) * 1000 as available
    from payments where id = ${paymentId}`;
  return { due: Number(found?.due), available: Number(found?.available) };
}

describe('earnings', () => {
  test('become payable once, whoever asks how often', async () => {
    const payment = await paid();
    const replies = await Promise.all(
      Array.from({ length: 10 }, (_, n) => release(payment, undefined, n < 5 ? undefined : `other-${n}`)),
    );
    for (const { body } of replies) expect(body).toEqual({ paymentId: payment.paymentId, released: EUR(3825) });
    expect(await tutorHas(payment)).toEqual(PAYABLE);
    expect(await stack.events(payment.paymentId)).toEqual([
      ...['PaymentRequested', 'PaymentSucceeded', 'PaymentChanged', 'EarningsReleased'],
    ]);
  });

  test('rest until the time that their saga says, and the first that it said counts', async () => {
    const payment = await paid();
    const notBefore = inHours(48);
    expect((await release(payment, notBefore)).body.released).toEqual(EUR(0));
    expect((await release(payment, inHours(-1), 'another-step')).body.released).toEqual(EUR(0));
    await sweep();
    expect([await tutorHas(payment), (await times(payment)).due]).toEqual([PENDING, Date.parse(notBefore)]);

    await letPass(payment);
    await Promise.all([sweep(), sweep(), sweep()]);
    expect(await tutorHas(payment)).toEqual(PAYABLE);
    expect(await stack.events(payment.paymentId)).toEqual([
      ...['PaymentRequested', 'PaymentSucceeded', 'PaymentChanged', 'EarningsReleased'],
    ]);
    expect((await release(payment, notBefore)).body.released).toEqual(EUR(0)); // as it was answered the first time
  });

  test('of a payment for which nobody says a time rest for a week', async () => {
    const payment = await paid();
    await release(payment, null);
    const { due } = await times(payment);
    expect(Math.abs(due - Date.now() - 7 * 24 * HOUR_MS)).toBeLessThan(HOUR_MS);
    await sweep();
    expect(await tutorHas(payment)).toEqual(PENDING);
    // A worker of before sends no body at all.
    const before = await paid();
    const path = `/payments/${before.paymentId}/earnings/release`;
    expect((await stack.post(path, `booking:${before.bookingId}/release`)).status).toBe(200);
    expect(await tutorHas(before)).toEqual(PENDING);
  });

  test('wait until Stripe has the money', async () => {
    await stack.control('POST', '/settings', { fundsDelayMs: HOUR_MS });
    const payment = await paid();
    await stack.control('POST', '/settings', { fundsDelayMs: 0 });
    expect((await release(payment)).body.released).toEqual(EUR(0));
    const { available } = await times(payment);
    expect(available).toBeGreaterThan(Date.now() + HOUR_MS / 2);
    await sweep();
    expect(await tutorHas(payment)).toEqual(PENDING);
  });

  test('of a payment of before, of which nobody has asked when Stripe has the money, become payable once it says so', async () => {
    const [first, second] = [await paid(), await paid()];
    for (const payment of [first, second]) {
      await release(payment, inHours(1));
      await letPass(payment);
      await stack.service.database.sql`update payments set available_on = null where id = ${payment.paymentId}`;
    }
    await stack.fault({ kind: 'error_500', times: 1, match: { method: 'GET' } });
    expect(await sweep()).toEqual({ released: 0, left: 2 });
    expect(await sweep()).toEqual({ released: 2, left: 0 });
    expect([await tutorHas(first), await tutorHas(second)]).toEqual([PAYABLE, PAYABLE]);
  });

  test('of payments that wait for an answer of Stripe hold up none of which it has the money', async () => {
    const [unknown, known] = [await paid(), await paid()];
    for (const payment of [unknown, known]) {
      await release(payment, inHours(1));
      await letPass(payment);
    }
    await stack.service.database.sql`update payments set available_on = null where id = ${unknown.paymentId}`;
    await stack.fault({ kind: 'hang', ms: HANG_MS, match: { method: 'GET' } });
    expect((await stack.impatient.post('/earnings/sweep')).body).toEqual({ released: 1, left: 1 });
    expect([await tutorHas(unknown), await tutorHas(known)]).toEqual([PENDING, PAYABLE]);
    expect(await sweep()).toEqual({ released: 1, left: 0 });
  });

  test('of a payment that Stripe no longer knows are an operator’s, and hold up none of the others', async () => {
    const [gone, other] = [await paid(), await paid()];
    for (const payment of [gone, other]) {
      await release(payment, inHours(1));
      await letPass(payment);
      await stack.service.database.sql`update payments set available_on = null where id = ${payment.paymentId}`;
    }
    const { sql } = stack.service.database;
    const [before] = await sql`select stripe_intent_id as id from payments where id = ${gone.paymentId}`;
    await sql`update payments set stripe_intent_id = 'pi_nobody_knows' where id = ${gone.paymentId}`;
    expect((await stack.post('/earnings/sweep')).status).toBe(500);
    expect([await tutorHas(gone), await tutorHas(other)]).toEqual([PENDING, PAYABLE]);
    await sql`update payments set stripe_intent_id = ${before?.id} where id = ${gone.paymentId}`;
    expect(await sweep()).toEqual({ released: 1, left: 0 });
  });

  test('that somebody holds stay where they are until all have let go', async () => {
    const payment = await paid();
    const { sql } = stack.service.database;
    const [one, other] = [uuidv7(), uuidv7()];
    for (const id of [one, other])
      await sql`insert into earning_holds (id, payment_id, reason) values (${id}, ${payment.paymentId}, 'dispute')`;
    expect((await release(payment)).body.released).toEqual(EUR(0));
    await sql`update earning_holds set closed_at = now() where id = ${one}`;
    await sweep();
    expect(await tutorHas(payment)).toEqual(PENDING);
    await sql`update earning_holds set closed_at = now() where id = ${other}`;
    await sweep();
    expect(await tutorHas(payment)).toEqual(PAYABLE);
  });

  test('of one payee do not become payable while their money is being counted', async () => {
    const payment = await paid();
    const { sql } = stack.service.database;
    const { released } = await sql.begin(async (counting) => {
      await counting`insert into payees (user_id) values (${payment.payeeId})`;
      const asked = release(payment).then(({ body }) => body);
      // It waits for the payee.
      await until(async () => {
        const [waiting] = await sql`
          select from pg_stat_activity where wait_event_type = 'Lock' and query ilike '%"payees"%' and pid <> pg_backend_pid()`;
        return waiting !== undefined;
      });
      expect(await tutorHas(payment)).toEqual(PENDING);
      return { released: asked };
    });
    expect((await released).released).toEqual(EUR(3825));
  });

  test('that were released pay for a later refund', async () => {
    const payment = await paid();
    await release(payment);
    await refunded(payment, 1000);
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 2975 });
    await expectLedgerIsStripes();
  });

  test('that rest pay for a refund first, and what is left of them becomes payable', async () => {
    const payment = await paid();
    await release(payment, inHours(48));
    await share(payment, 50);
    await letPass(payment);
    await sweep();
    expect(await tutorHas(payment)).toEqual({ pending: 0, payable: 1912 });
  });

  test('of a refunded payment are nothing, and of one not taken yet are refused', async () => {
    const payment = await paid();
    await refunded(payment, null);
    expect((await release(payment)).body.released).toEqual(EUR(0));
    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
    expect((await release({ ...booking, paymentId: body.paymentId })).body.code).toBe('invalid_state');
  });
});
