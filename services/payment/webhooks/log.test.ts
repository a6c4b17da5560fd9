import {
  chargeBooking,
  newBooking,
  type PaymentStack,
  payoutsAt,
  startPaymentStack,
  webhooksAt,
} from '../../../tests/support/payment';

jest.setTimeout(30_000);

let stack: PaymentStack;
let admin: string;
beforeAll(async () => {
  stack = await startPaymentStack();
  admin = await stack.service.userToken({ role: 'admin' });
});
afterAll(() => stack.close());
beforeEach(() => stack.webhooksOff());
afterEach(async () => {
  stack.temporal.isDown = false;
  await stack.noFaults();
});

const { intentOf, complete, stateOf, deliver, event, logged, asked } = webhooksAt(() => stack);

const list = (query = '') => stack.service.ask('GET', `/api/stripe/webhooks${query}`, { token: admin });
const replay = (eventId: string, token = admin) =>
  stack.service.ask('POST', `/api/stripe/webhooks/${encodeURIComponent(eventId)}/replay`, { token });

/** A payment that waits for its customer at the bank, and an event of it that nobody could act on. */
async function unheard() {
  const booking = newBooking();
  const { body } = await chargeBooking(stack, booking, { card: 'pm_card_threeDSecure2Required' });
  const intent = await intentOf(booking);
  await complete(booking);
  const told = event('payment_intent.succeeded', { object: 'payment_intent', id: intent });
  await stack.control('POST', '/faults', { kind: 'error_500', match: { path: `/v1/payment_intents/${intent}` } });
  expect((await deliver(told)).status).toBe(503);
  return { booking, paymentId: body.paymentId, intent, told };
}

test('lists what Stripe has told, the latest first, page by page, with nothing of what it said', async () => {
  const marks = Array.from({ length: 5 }, () => event('customer.created', { object: 'customer', id: 'cus_listed' }));
  for (const each of marks) await deliver(each);
  await deliver(marks[0] ?? {});
  const ids: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { status, body } = await list(`?limit=2${cursor && `&cursor=${cursor}`}`);
    expect(status).toBe(200);
    for (const item of body.items) ids.push(item.eventId);
    cursor = body.nextCursor;
  }
  const listed = ids.filter((id) => marks.some((each) => each.id === id));
  expect(listed).toEqual(marks.map(({ id }) => id).reverse());
  expect(new Set(ids).size).toBe(ids.length);
  const all = (await list('?limit=100')).body.items;
  expect(all.find(({ eventId }: { eventId: string }) => eventId === marks[0]?.id)).toEqual({
    ...{ eventId: marks[0]?.id, type: 'customer.created', objectId: 'cus_listed', account: null, deliveries: 2 },
    ...{ createdAt: expect.any(String), receivedAt: expect.any(String), processedAt: expect.any(String) },
  });
});

test('events of one millisecond are all listed, wherever a page ends', async () => {
  const marks = Array.from({ length: 5 }, () => event('customer.updated', { object: 'customer', id: 'cus_at_once' }));
  for (const each of marks) await deliver(each);
  const { sql } = stack.service.database;
  const from = new Date(Date.now() + 60_000).toISOString();
  for (const [index, { id }] of marks.entries())
    await sql`update stripe_webhooks_log set received_at = ${from}::timestamptz + ${`${index * 7} microseconds`}::interval
      where event_id = ${id}`;
  for (const limit of [1, 2, 3]) {
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null && ids.length < marks.length; ) {
      const { body } = await list(`?limit=${limit}${cursor && `&cursor=${cursor}`}`);
      for (const item of body.items) ids.push(item.eventId);
      cursor = body.nextCursor;
    }
    expect(ids.slice(0, marks.length)).toEqual(marks.map(({ id }) => id).reverse());
  }
});

test('one that could not be acted on is listed as such; a replay asks Stripe, records, tells the saga and ends that', async () => {
  const { booking, paymentId, intent, told } = await unheard();
  const isOpen = async () => {
    const { items } = (await list('?processed=false&limit=100')).body;
    return items.some(({ eventId }: { eventId: string }) => eventId === told.id);
  };
  expect(await isOpen()).toBe(true);
  expect((await stateOf(paymentId)).status).toBe('requires_action');
  const { status, body } = await replay(told.id);
  expect(status).toBe(200);
  expect(body).toMatchObject({ eventId: told.id, processedAt: expect.any(String) });
  const { status: now, version } = await stateOf(paymentId);
  expect(now).toBe('captured');
  expect(stack.signals).toContainEqual({
    ...{ workflowId: `booking:${booking.bookingId}`, name: 'paymentChanged', argument: { paymentId, version } },
  });
  expect(await isOpen()).toBe(false);
  const before = await asked(intent);
  expect((await replay(told.id)).status).toBe(200);
  expect(await asked(intent)).toBeGreaterThan(before);
});

test('a replay that meets a Stripe or a Temporal that is away says so, and the event stays open', async () => {
  const { intent, told } = await unheard();
  await stack.control('POST', '/faults', { kind: 'error_500', match: { path: `/v1/payment_intents/${intent}` } });
  expect((await replay(told.id)).body.code).toBe('upstream_unavailable');
  stack.temporal.isDown = true;
  expect((await replay(told.id)).body.code).toBe('upstream_unavailable');
  expect((await logged(told.id))?.processed_at).toBeNull();
  stack.temporal.isDown = false;
  expect((await replay(told.id)).status).toBe(200);
  expect((await logged(told.id))?.processed_at).not.toBeNull();
});

test('an event that lies changes nothing when it is replayed either', async () => {
  const booking = newBooking();
  const { body } = await chargeBooking(stack, booking);
  const before = [await stateOf(body.paymentId), await stack.ledger()];
  const lie = event('payment_intent.canceled', { object: 'payment_intent', id: await intentOf(booking) });
  await deliver(lie);
  expect((await replay(lie.id)).status).toBe(200);
  expect([await stateOf(body.paymentId), await stack.ledger()]).toEqual(before);
});

test('an event of a connected account is replayed as one of that account', async () => {
  const { account } = await payoutsAt(() => stack).payee();
  const told = event('account.updated', { object: 'account', id: account }, { account });
  await deliver(told);
  await stack.service.database.sql`update stripe_accounts set payouts_enabled = null where stripe_id = ${account}`;
  expect((await replay(told.id)).body).toMatchObject({ account, objectId: account });
  const [row] = await stack.service.database.sql`select * from stripe_accounts where stripe_id = ${account}`;
  expect(row?.payouts_enabled).toBe(true);
});

test('one that was noted before its payment was names it where it is about that itself, and is refused otherwise', async () => {
  const { told, paymentId } = await unheard();
  const charge = event('charge.refunded', { object: 'charge', id: 'ch_of_before', payment_intent: 'pi_of_before' });
  await deliver(charge);
  await stack.service.database.sql`
    update stripe_webhooks_log set intent_id = null, processed_at = null where event_id in (${told.id}, ${charge.id})`;
  expect((await replay(told.id)).status).toBe(200);
  expect((await stateOf(paymentId)).status).toBe('captured');
  expect((await replay(charge.id)).body).toMatchObject({ status: 409, code: 'invalid_state' });
  expect((await logged(charge.id))?.processed_at).toBeNull();
});

test('it is for administrators, and knows no event that was not noted', async () => {
  for (const role of ['student', 'tutor'] as const) {
    const token = await stack.service.userToken({ role });
    expect((await stack.service.ask('GET', '/api/stripe/webhooks', { token })).status).toBe(403);
    expect((await replay('evt_1', token)).status).toBe(403);
  }
  expect((await stack.service.ask('GET', '/api/stripe/webhooks')).status).toBe(401);
  expect((await replay('evt_of_nobody')).status).toBe(404);
  expect((await replay('no event')).status).toBe(404);
  expect((await list('?processed=maybe')).status).toBe(422);
  expect((await list('?cursor=eyJ9')).status).toBe(422);
});
