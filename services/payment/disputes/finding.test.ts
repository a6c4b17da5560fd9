import {
  disputesAt,
  type Paid,
  type PaymentStack,
  startPaymentStack,
  webhooksAt,
} from '../../../tests/support/payment';

jest.setTimeout(60_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { paid, dispute, bank, answered, find, stored } = disputesAt(() => stack);
const { deliver, event, quiet } = webhooksAt(() => stack);

const woken = (disputeId: string) => stack.signals.filter(({ workflowId }) => workflowId === `dispute:${disputeId}`);

test('with no dispute at all nothing is found', async () => {
  expect(await find()).toEqual({ seen: 0, found: 0, failed: 0 });
});

describe('a webhook', () => {
  test('is asked about, whatever it says, and tells the saga once', async () => {
    const payment = await paid();
    const { id: stripeId } = await dispute(payment.paymentId);
    const told = (type: string, status: string) => deliver(event(type, { object: 'dispute', id: stripeId, status }));
    expect((await told('charge.dispute.closed', 'won')).status).toBe(200);
    const [row] = await stored(payment.paymentId);
    expect(row?.status).toBe('needs_response');
    const id = String(row?.id);
    const input = {
      disputeId: id,
      paymentId: payment.paymentId,
      bookingId: payment.bookingId,
      payeeId: payment.payeeId,
    };
    expect(woken(id)).toEqual([
      {
        workflowId: `dispute:${id}`,
        name: 'disputeChanged',
        argument: { disputeId: id, version: 1 },
        wokenWith: input,
      },
    ]);
    await told('charge.dispute.funds_withdrawn', 'needs_response');
    expect(woken(id)).toHaveLength(1);
  });

  test('about a dispute of nobody’s payment, or that Stripe does not know, does nothing', async () => {
    const stray = await stack.stripe.paymentIntents.create({
      ...{ amount: 1_000, currency: 'eur', payment_method: 'pm_card_visa', confirm: true },
      automatic_payment_methods: { enabled: true, allow_redirects: 'never' },
    });
    const made = await stack.control('POST', '/disputes', { charge: stray.latest_charge });
    for (const id of [made.body.id, 'du_unknown']) {
      const told = await deliver(event('charge.dispute.created', { object: 'dispute', id }));
      expect(told.status).toBe(200);
    }
    // What others took at our account is none of the ledger's.
    await answered(made.body.id);
    await bank(made.body.id, { to: 'won' });
    await stack.stripe.refunds.create({ payment_intent: stray.id });
  });

  test('of Stripe’s own, of two hundred disputes at once: each is recorded once, and the ledger is Stripe’s', async () => {
    const payments: Paid[] = [];
    for (let n = 0; n < 200; n++) payments.push(await paid());
    const apart = async () => (await stack.stripeBalance()) - ((await stack.ledger('EUR')).stripe_balance ?? 0);
    const before = { apart: await apart(), signals: stack.signals.length };
    await stack.webhooksOn();
    const [opened] = await Promise.all([Promise.all(payments.map(({ paymentId }) => dispute(paymentId))), find()]);
    await Promise.all(
      opened.map(async ({ id }, n) => {
        if (n % 2) return bank(id, { to: 'lost' });
        await answered(id);
        return bank(id, { to: 'won' });
      }),
    );
    await quiet(120_000);
    await stack.webhooksOff();
    const ids = payments.map(({ paymentId }) => paymentId);
    const rows = await stack.service.database.sql<{ id: string; status: string; version: number }[]>`
      select id, status, version from disputes where payment_id = any(${ids})`;
    const counted = (status: string) => rows.filter((row) => row.status === status).length;
    expect([rows.length, counted('lost'), counted('won')]).toEqual([200, 100, 100]);
    expect(await apart()).toBe(before.apart);
    const told = new Set(stack.signals.slice(before.signals).map(({ workflowId }) => workflowId));
    expect(rows.filter(({ id }) => !told.has(`dispute:${id}`))).toEqual([]);
    for (const { id, version } of rows) await stack.post(`/disputes/${id}/close`, `dispute:${id}/close`, { version });
    // Some 20 s on an idle machine: what is proved is who wins, not how fast.
  }, 240_000);
});

describe('the night', () => {
  test('finds what no webhook told of, page by page, and leaves alone what is over', async () => {
    const payment = await paid();
    const { id: stripeId } = await dispute(payment.paymentId);
    const first = await find();
    expect(first).toMatchObject({ found: 1, failed: 0 });
    expect(first.seen).toBeGreaterThan(100);
    await bank(stripeId, { to: 'lost' });
    expect((await find()).found).toBe(1);
    const [row] = await stored(payment.paymentId);
    const id = String(row?.id);
    const close = (version: number) => stack.post(`/disputes/${id}/close`, `dispute:${id}/close`, { version });
    // Before it is closed in this version its saga is woken every night.
    await close(1);
    const before = woken(id).length;
    await find();
    expect(woken(id).length).toBe(before + 1);
    await close(Number(row?.version));
    await find();
    expect(woken(id).length).toBe(before + 1);
  });

  test('has its turn with all behind one that cannot be recorded', async () => {
    const [one, other] = [await paid(), await paid()];
    for (const { paymentId } of [one, other]) await dispute(paymentId);
    const { sql } = stack.service.database;
    await sql.unsafe(`alter table disputes add constraint nobody_can check (payment_id <> '${one.paymentId}')`);
    expect(await find()).toMatchObject({ found: 1, failed: 1 });
    await sql`alter table disputes drop constraint nobody_can`;
    expect(await find()).toMatchObject({ found: 1, failed: 0 });
    expect([await stored(one.paymentId), await stored(other.paymentId)]).toMatchObject([[{}], [{}]]);
  });

  test('asks again when Stripe or Temporal is away', async () => {
    const payment = await paid();
    await dispute(payment.paymentId);
    await stack.fault({ kind: 'error_500', match: { method: 'GET', path: '/v1/disputes' } });
    expect((await stack.post('/disputes/find', undefined, { after: null })).status).toBe(503);
    stack.temporal.isDown = true;
    expect((await stack.post('/disputes/find', undefined, { after: null })).status).toBe(503);
    stack.temporal.isDown = false;
    await find();
    const [row] = await stored(payment.paymentId);
    expect(woken(String(row?.id)).length).toBeGreaterThan(0);
  });
});
