import { uuidv7 } from '../../../platform/ids';
import { EUR, type PaymentStack, retried, startPaymentStack } from '../../../tests/support/payment';
import type { Reply } from '../../../tests/support/service';

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());
beforeEach(async () => {
  stack.temporal.isDown = false;
  stack.started.length = 0;
  // Rows of other tests must not be found.
  await stack.service.database.sql`update payments set saga_started_at = now()`;
  await stack.service.database.sql`update refunds set saga_started_at = now()`;
});

interface Person {
  id: string;
  token: string;
}

async function person(role: 'student' | 'tutor'): Promise<Person> {
  const id = uuidv7();
  const account = { userId: id, role, email: `${id}@example.org`, name: 'N' };
  expect((await stack.post('/accounts', `user:${id}/account`, account)).status).toBe(201);
  return { id, token: await stack.service.userToken({ id, role }) };
}

async function sweep(): Promise<{ found: number; started: number; refused: number }> {
  const { status, body } = await stack.post('/payments/sweep');
  expect(status).toBe(200);
  return body;
}

const NOTHING = { found: 0, started: 0, refused: 0 };

/** A direct payment whose saga could not be started, and whose client was told to come back. */
async function unstarted() {
  const [payer, payee] = await Promise.all([person('student'), person('tutor')]);
  const key = uuidv7();
  const body = { payeeId: payee.id, amount: EUR(2000), paymentMethodId: 'pm_card_visa', description: 'Two books' };
  const post = (): Promise<Reply> => stack.service.ask('POST', '/api/payments', { token: payer.token, key, body });
  stack.temporal.isDown = true;
  expect((await post()).status).toBe(503);
  stack.temporal.isDown = false;
  const [row] = await stack.service.database.sql`select id from payments where payer_id = ${payer.id}`;
  return { id: String(row?.id), payer, payee, post };
}

/** As if so many minutes had gone by since the payment was stored, and since its client was last there. */
async function goneFor(id: string, minutes: number, seenBefore = minutes): Promise<void> {
  const { sql } = stack.service.database;
  await sql`update payments set created_at = created_at - make_interval(mins => ${minutes}) where id = ${id}`;
  await sql`update idempotency_keys set created_at = created_at - make_interval(mins => ${minutes}),
    leased_until = leased_until - make_interval(mins => ${seenBefore}) where resource_id = ${id}`;
}

const intentsOf = async (id: string) =>
  (await stack.state()).payment_intents.filter(
    ({ metadata }: { metadata: { paymentId?: string } }) => metadata.paymentId === id,
  );
const charge = (id: string) => stack.post(`/payments/${id}/charge`, `payment:${id}/charge`);

describe('a direct payment that never began', () => {
  test('is refused once its client has been gone for ten minutes, and nobody is charged for it', async () => {
    const { id, payer, post } = await unstarted();
    const before = await stack.ledger();
    await goneFor(id, 9);
    expect(await sweep()).toEqual(NOTHING);
    await goneFor(id, 2);
    expect(await sweep()).toEqual({ found: 1, started: 0, refused: 1 });
    expect(await sweep()).toEqual(NOTHING);

    const shown = await stack.service.ask('GET', `/api/payments/${id}`, { token: payer.token });
    expect(shown.body).toMatchObject({ status: 'failed', captured: EUR(0) });
    expect(await stack.events(id)).toEqual(['PaymentRequested', 'PaymentFailed']);
    const reply = await post();
    expect(reply).toMatchObject({ status: 409, body: { code: 'request_expired', paymentId: id } });
    expect((await post()).body).toEqual(reply.body);

    // Its saga was started after all, and comes late.
    expect((await charge(id)).body.code).toBe('undone');
    const settled = await stack.post(`/payments/${id}/settle`, `payment:${id}/charge/undo`);
    expect(settled.body.payment).toMatchObject({ status: 'failed' });
    expect(await intentsOf(id)).toEqual([]);
    expect(await stack.ledger()).toEqual(before);
    expect(stack.started).toEqual([]);
  });

  test('is left alone while its client comes back for it, and once its saga has begun', async () => {
    const back = await unstarted();
    await goneFor(back.id, 60, 5);
    const begun = await unstarted();
    await goneFor(begun.id, 60);
    // Stripe answers nothing of use, so that it stays pending.
    await stack.fault({ kind: 'error_500', match: { path: '/v1/payment_intents' }, times: 10 });
    expect((await charge(begun.id)).status).toBe(503);
    await stack.noFaults();
    expect(await sweep()).toEqual(NOTHING);
    expect((await retried(() => charge(begun.id))).body.status).toBe('captured');
  });

  test('is found by its kind: what is for something is left to the saga that pays for it', async () => {
    const { id } = await unstarted();
    await goneFor(id, 60);
    await stack.service.database.sql`update payments set subject_kind = 'package' where id = ${id}`;
    expect(await sweep()).toEqual(NOTHING);
    await stack.service.database.sql`update payments set subject_kind = 'direct' where id = ${id}`;
    expect(await sweep()).toEqual({ found: 1, started: 0, refused: 1 });
  });

  test('is either charged or refused when its saga begins at that moment, never both', async () => {
    for (let round = 0; round < 8; round++) {
      const { id } = await unstarted();
      await goneFor(id, 11);
      const [charged, swept] = await Promise.all([charge(id), sweep()]);
      const money = (await intentsOf(id)).filter(({ status }: { status: string }) => status === 'succeeded');
      expect([charged.status, money.length]).toEqual(swept.refused === 1 ? [409, 0] : [200, 1]);
    }
  });
});

describe('a refund that never began', () => {
  async function paid() {
    const made = await unstarted();
    expect((await charge(made.id)).status).toBe(200);
    return made;
  }

  const refund = ({ id, payee }: { id: string; payee: Person }, amount: number, key = uuidv7()) =>
    stack.service.ask('POST', `/api/payments/${id}/refund`, {
      token: payee.token,
      key,
      body: { amount: EUR(amount), reason: 'A book was missing' },
    });

  /** Its client was told to come back, and the lease of its request has ended. */
  async function unstartedRefund(payment: { id: string; payee: Person }, amount: number): Promise<string> {
    stack.temporal.isDown = true;
    expect((await refund(payment, amount)).status).toBe(503);
    const [row] = await stack.service.database.sql`
      update refunds set created_at = created_at - interval '21 seconds' where payment_id = ${payment.id} returning id`;
    return String(row?.id);
  }

  test('is started, made, and holds up no refund of the rest', async () => {
    const payment = await paid();
    const id = await unstartedRefund(payment, 500);
    stack.temporal.isDown = false;
    expect(await sweep()).toEqual({ found: 1, started: 1, refused: 0 });
    const input = { refundId: id, paymentId: payment.id, bookingId: null };
    expect(stack.started).toEqual([{ workflowId: `refund:${id}`, input }]);
    expect(await sweep()).toEqual(NOTHING);

    expect((await stack.post(`/refunds/${id}/submit`, `refund:${id}/submit-1`)).body.status).toBe('succeeded');
    stack.temporal.isDown = true;
    expect((await refund(payment, 1500)).status).toBe(503);
    expect((await refund(payment, 1)).body.code).toBe('refund_exceeds_payment');
  });

  test('stays for the next sweep while Temporal is away', async () => {
    const payment = await paid();
    await unstartedRefund(payment, 500);
    expect(await stack.post('/payments/sweep')).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
    stack.temporal.isDown = false;
    expect(await sweep()).toMatchObject({ started: 1 });
  });

  test('is not looked for while its request may still be at work, when its saga has begun, and when a saga asked for it', async () => {
    const payment = await paid();
    stack.temporal.isDown = true;
    expect((await refund(payment, 100)).status).toBe(503);
    stack.temporal.isDown = false;
    expect(await sweep()).toEqual(NOTHING);

    const begun = await unstartedRefund(await paid(), 100);
    stack.temporal.isDown = false;
    await stack.post(`/refunds/${begun}/submit`, `refund:${begun}/submit-1`);
    await stack.service.database.sql`update refunds set status = 'pending' where id = ${begun}`;
    const asked = { amount: EUR(100), reason: 'Booking cancelled', requestedBy: null };
    const other = await paid();
    await stack.post(`/payments/${other.id}/refunds`, `booking:${uuidv7()}/refund`, asked);
    await stack.service.database.sql`update refunds set created_at = created_at - interval '1 hour'
      where id = ${begun} or payment_id = ${other.id}`;
    expect(await sweep()).toEqual(NOTHING);
  });
});
