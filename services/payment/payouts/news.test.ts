import { type PaymentStack, payoutsAt, startPaymentStack, until, webhooksAt } from '../../../tests/support/payment';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { payoutPendingMs: 3_600_000 });
});
afterAll(() => stack.close());
afterEach(async () => {
  await stack.noFaults();
  stack.temporal.isDown = false;
});

const { payee, onboard, earned, steps, opened, sent, bankSays } = payoutsAt(() => stack);
const { deliver, event, logged, quiet } = webhooksAt(() => stack);

const told = (id: string) => stack.signals.filter(({ workflowId }) => workflowId === `payout:${id}`);

/** Stripe's own webhooks about `act`. */
async function withWebhooks(act: () => Promise<unknown>): Promise<void> {
  await stack.webhooksOn();
  await act();
  await quiet();
  await stack.webhooksOff();
}

test('the bank’s word is asked for, recorded, and wakes the saga, also one that has ended', async () => {
  const who = await payee();
  await earned(who);
  const id = await sent(who);
  await withWebhooks(() => bankSays(id, { to: 'paid' }));
  expect((await who.see(`/api/payouts/${id}`)).body.status).toBe('completed');
  expect(told(id).at(-1)).toMatchObject({ name: 'payoutChanged', wokenWith: { payoutId: id, payeeId: who.id } });
  const heard = told(id).length;
  await withWebhooks(() => bankSays(id, { to: 'failed', code: 'account_closed' }));
  expect((await who.see(`/api/payouts/${id}`)).body).toMatchObject({
    status: 'failed',
    failure: { code: 'account_closed' },
  });
  expect(told(id).length).toBeGreaterThan(heard);
});

test('what an event says does not count, and one that comes twice or late tells nothing new', async () => {
  const who = await payee();
  await earned(who);
  const id = await sent(who);
  const [row] = await stack.service.database.sql`select stripe_payout_id as id from payouts where id = ${id}`;
  const forged = event('payout.paid', { object: 'payout', id: row?.id, status: 'paid' }, { account: who.account });
  for (let time = 1; time <= 2; time++) expect((await deliver(forged)).status).toBe(200);
  expect((await who.see(`/api/payouts/${id}`)).body.status).toBe('processing');
  expect(told(id)).toEqual([]);
});

test('an event of another’s account, or of a payout that is none of ours, does nothing', async () => {
  const [who, other] = [await payee(), await payee()];
  await earned(who);
  const id = await sent(who);
  const [row] = await stack.service.database.sql`select stripe_payout_id as id from payouts where id = ${id}`;
  for (const [account, payout] of [
    [other.account, row?.id],
    ['acct_of_nobody', row?.id],
    [who.account, 'po_of_nobody'],
    [who.account, null],
  ]) {
    const news = event('payout.failed', { object: 'payout', id: payout }, { account });
    expect((await deliver(news)).status).toBe(200);
    expect((await logged(news.id))?.processed_at).not.toBeNull();
  }
  expect(told(id)).toEqual([]);
});

test('a payee who has told Stripe what it asked for is paid at once', async () => {
  const who = await payee(null);
  await earned(who);
  const id = await opened(who);
  expect((await steps.check(id)).body.reason).toBe('awaiting_onboarding');
  expect((await who.see('/api/wallet')).body.payoutsEnabled).toBe(false);
  await withWebhooks(() => onboard(who.account));
  expect(told(id).at(-1)).toMatchObject({ name: 'payoutChanged', argument: { payoutId: id } });
  expect((await who.see(`/api/payouts/${id}`)).body.statusReason).toBeNull();
  expect((await who.see('/api/wallet')).body.payoutsEnabled).toBe(true);
});

test('money of ours that has become available is told to who waits for it', async () => {
  const who = await payee();
  await earned(who);
  const id = await opened(who);
  await stack.fault({
    kind: 'refuse_400',
    code: 'balance_insufficient',
    match: { method: 'POST', path: '/v1/transfers' },
  });
  expect((await steps.transfer(id)).body.reason).toBe('awaiting_funds');
  expect((await deliver(event('balance.available', { object: 'balance' }))).status).toBe(200);
  expect(told(id)).toHaveLength(1);
});

test('news that reach no saga because Temporal is away come again', async () => {
  const who = await payee();
  await earned(who);
  const id = await sent(who);
  stack.temporal.isDown = true;
  await stack.webhooksOn();
  await bankSays(id, { to: 'paid' });
  await until(async () => (await who.see(`/api/payouts/${id}`)).body.status === 'completed');
  expect(told(id)).toEqual([]);
  stack.temporal.isDown = false;
  await quiet();
  await stack.webhooksOff();
  expect(told(id).length).toBeGreaterThan(0);
});
