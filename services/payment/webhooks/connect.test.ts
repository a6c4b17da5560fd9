import { uuidv7 } from '../../../platform/ids';
import { metrics } from '../../../platform/telemetry';
import {
  CONNECT_WEBHOOK_SECRET,
  chargeBooking,
  newBooking,
  type PaymentStack,
  startPaymentStack,
  until,
  WEBHOOK_SECRET,
  webhooksAt,
} from '../../../tests/support/payment';
import { markAccountRemoved } from '../accounts/store';

// Many of these go by way of the sandbox: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());
beforeEach(() => stack.webhooksOff());
afterEach(() => stack.noFaults());

const { intentOf, deliver, event, logged, asked } = webhooksAt(() => stack);

const CONNECT = { secret: CONNECT_WEBHOOK_SECRET };
const PLATFORM = { secret: WEBHOOK_SECRET };

/** A tutor with a connected account. */
async function newTutor() {
  const userId = uuidv7();
  const details = { userId, role: 'tutor', email: `${userId}@example.org`, name: 'Ada' };
  await stack.post('/accounts', `user:${userId}/account`, details);
  const { accounts } = await stack.state();
  const mine = accounts.find((each: { metadata?: { userId?: string } }) => each.metadata?.userId === userId);
  return { userId, account: String(mine.id) };
}

const updated = (account: string, more: object = {}) =>
  event('account.updated', { object: 'account', id: account }, { account, ...more });

/** How many events of our accounts, or of unknown ones, were counted. */
async function counted(account: 'ours' | 'unknown'): Promise<number> {
  const line = new RegExp(`stripe_connect_events_total\\{account="${account}"\\} (\\d+)`);
  return Number(line.exec(await metrics.metrics())?.[1] ?? 0);
}

test('an event of one of our accounts, signed for Connect, is noted once and counted as ours', async () => {
  const { account } = await newTutor();
  const before = await counted('ours');
  const told = updated(account);
  expect(await deliver(told, CONNECT)).toMatchObject({ status: 200, body: { received: true } });
  expect(await counted('ours')).toBe(before + 1);
  const replies = await Promise.all(Array.from({ length: 4 }, () => deliver(told, CONNECT)));
  expect(replies.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
  expect(await logged(told.id)).toMatchObject({ type: 'account.updated', object_id: account, deliveries: 5 });
});

test.each([
  ['of an account under the platform’s secret', true, PLATFORM],
  ['of an account under nobody’s', true, { secret: 'whsec_of_somebody' }],
  ['of the platform under Connect’s', false, CONNECT],
])('an event %s is refused as badly signed, and not noted', async (_, ofAccount, signing) => {
  const { account } = await newTutor();
  const [ours, unknown] = [await counted('ours'), await counted('unknown')];
  const wrong = updated(account, ofAccount ? {} : { account: null });
  expect(await deliver(wrong, signing)).toMatchObject({ status: 400, body: { code: 'invalid_signature' } });
  expect(await logged(wrong.id)).toBeUndefined();
  expect([await counted('ours'), await counted('unknown')]).toEqual([ours, unknown]);
});

test('an event that was refused under the wrong secret counts when it comes under the right one', async () => {
  const told = updated((await newTutor()).account);
  expect((await deliver(told, PLATFORM)).status).toBe(400);
  expect((await deliver(told, CONNECT)).status).toBe(200);
  expect(await logged(told.id)).toMatchObject({ deliveries: 1 });
});

test.each<[string, () => Promise<string>]>([
  ['nobody’s', async () => 'acct_unknown'],
  [
    'that was removed',
    async () => {
      const { userId, account } = await newTutor();
      await stack.post(`/accounts/${userId}/remove`, `user:${userId}/account/undo`);
      return account;
    },
  ],
  [
    'that is being removed',
    async () => {
      const { userId, account } = await newTutor();
      await markAccountRemoved(stack.till.db, userId);
      return account;
    },
  ],
  [
    'of a student, who has none that is connected',
    async () => {
      const userId = uuidv7();
      const details = { userId, role: 'student', email: `${userId}@example.org`, name: 'Ada' };
      await stack.post('/accounts', `user:${userId}/account`, details);
      const [row] = await stack.service.database.sql`select stripe_id from stripe_accounts where user_id = ${userId}`;
      return row?.stripe_id;
    },
  ],
])('an event of an account %s is acknowledged, noted and counted as unknown', async (_, accountOf) => {
  const told = updated(await accountOf());
  const [ours, unknown] = [await counted('ours'), await counted('unknown')];
  expect(await deliver(told, CONNECT)).toMatchObject({ status: 200, body: { received: true } });
  expect((await logged(told.id))?.processed_at).not.toBeNull();
  expect([await counted('ours'), await counted('unknown')]).toEqual([ours, unknown + 1]);
});

test.each(['ours', 'unknown'])(
  'whatever a connected account (%s) says of a payment is not acted upon',
  async (whose) => {
    const booking = newBooking();
    await chargeBooking(stack, booking, { card: 'pm_card_threeDSecure2Required' });
    const id = await intentOf(booking);
    const account = whose === 'ours' ? (await newTutor()).account : 'acct_unknown';
    const before = { asked: await asked(id), signals: stack.signals.length };
    const forged = event(
      'payment_intent.succeeded',
      { object: 'payment_intent', id, status: 'succeeded' },
      { account },
    );
    expect((await deliver(forged, CONNECT)).status).toBe(200);
    expect((await logged(forged.id))?.processed_at).not.toBeNull();
    expect({ asked: await asked(id), signals: stack.signals.length }).toEqual(before);
  },
);

test('Stripe’s two endpoints both reach us, each with its secret', async () => {
  const { account } = await newTutor();
  await stack.webhooksOn();
  const before = await counted('ours');
  await stack.fault({ kind: 'webhook_double', match: { type: 'account.updated' } });
  await stack.stripe.accounts.update(account, { metadata: { seen: 'yes' } });
  await stack.stripe.customers.create();
  await until(async () => (await stack.state()).pending_webhooks === 0);
  expect(await counted('ours')).toBe(before + 2);
  const [row] = await stack.service.database
    .sql`select type, deliveries from stripe_webhooks_log where object_id = ${account}`;
  expect(row).toEqual({ type: 'account.updated', deliveries: 2 });
  const types = await stack.service.database.sql`select type from stripe_webhooks_log where type = 'customer.created'`;
  expect(types.length).toBeGreaterThan(0);
});
