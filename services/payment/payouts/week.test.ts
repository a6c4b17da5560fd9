import { uuidv7 } from '../../../platform/ids';
import { EUR, type Payee, type PaymentStack, payoutsAt, startPaymentStack } from '../../../tests/support/payment';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { payoutPendingMs: 3_600_000 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { payee, onboard, earned, steps, bankSays, has } = payoutsAt(() => stack);

/** Opens a week page by page, as its workflow does. */
async function open(week: string) {
  const sums = { opened: 0, skipped: 0 };
  for (let after: string | null = null; ; ) {
    const { status, body } = await stack.post('/payouts/week', undefined, { week, after });
    expect(status).toBe(200);
    sums.opened += body.opened;
    sums.skipped += body.skipped;
    if (body.next === null) return sums;
    after = body.next;
  }
}

const payoutsOf = async (who: Payee) => (await who.see('/api/payouts')).body.items;

test('who has enough is paid out once a week, in each currency, whoever opens it how often', async () => {
  const [rich, poor] = [await payee(), await payee()];
  await earned(rich, 4_000);
  await earned(rich, 6_000, 'USD');
  await earned(poor, 1_000);
  const opened = await Promise.all([1, 2, 3].map(() => open('2026-W49')));
  expect(opened.reduce((sum, run) => sum + run.opened, 0)).toBe(2);
  expect(await open('2026-W49')).toMatchObject({ opened: 0 });
  const payouts = await payoutsOf(rich);
  expect(payouts.map(({ amount }: { amount: unknown }) => amount)).toEqual(
    expect.arrayContaining([EUR(3_400), { amount: 5_100, currency: 'USD' }]),
  );
  expect(payouts).toHaveLength(2);
  expect(await payoutsOf(poor)).toEqual([]);
  const ids = payouts.map(({ workflowId }: { workflowId: string }) => workflowId);
  const started = stack.started.map(({ workflowId }) => workflowId);
  expect(started).toEqual(expect.arrayContaining(ids));
});

test('of a payee the next week’s waits for the one that is under way, and goes on where that ended', async () => {
  const who = await payee();
  await earned(who);
  await open('2026-W50');
  const [first] = await payoutsOf(who);
  await earned(who, 2_000);
  await open('2026-W51');
  expect(await payoutsOf(who)).toHaveLength(1);
  await steps.transfer(first.id);
  await steps.send(first.id);
  await bankSays(first.id, { to: 'paid' });
  await steps.refresh(first.id);
  await open('2026-W52');
  const [second, ...others] = await payoutsOf(who);
  expect(others.map(({ id }: { id: string }) => id)).toEqual([first.id]);
  expect(second).toMatchObject({ amount: EUR(1_700), period: { from: first.period.to } });
});

test('whose bank refused the last one is left out until they give Stripe another account', async () => {
  const who = await payee();
  await earned(who);
  await open('2027-W01');
  const [first] = await payoutsOf(who);
  await steps.transfer(first.id);
  await steps.send(first.id);
  await bankSays(first.id, { to: 'failed', code: 'account_closed' });
  await steps.refresh(first.id);
  await steps.giveBack(first.id);
  expect((await has(who)).payable).toBe(3_400);
  expect((await open('2027-W02')).skipped).toBeGreaterThan(0);
  expect(await payoutsOf(who)).toHaveLength(1);
  await onboard(who.account);
  await open('2027-W03');
  expect(await payoutsOf(who)).toHaveLength(2);
});

test('who has no account at Stripe is left out', async () => {
  const nobody = { id: uuidv7() };
  await earned(nobody);
  const who = await payee();
  await earned(who);
  await open('2027-W04');
  const { sql } = stack.service.database;
  expect(await sql`select 1 from payouts where payee_id = ${nobody.id}`).toHaveLength(0);
  expect(await payoutsOf(who)).toHaveLength(1);
});

test('more payees than a page has are all paid out', async () => {
  const many = Array.from({ length: 120 }, () => uuidv7());
  await stack.service.database.sql`insert into payees (user_id) select unnest(${many}::uuid[])`;
  const who = await payee();
  await earned(who);
  await open('2027-W05');
  expect(await payoutsOf(who)).toHaveLength(1);
});

test('while Temporal is away a page is asked for again, and nobody is paid twice', async () => {
  const who = await payee();
  await earned(who);
  stack.temporal.isDown = true;
  const [before] = await stack.service.database
    .sql`select max(user_id::text) as id from payees where user_id < ${who.id}`;
  const page = { week: '2027-W06', after: before?.id };
  expect((await stack.post('/payouts/week', undefined, page)).status).toBe(503);
  stack.temporal.isDown = false;
  await open('2027-W06');
  expect(await payoutsOf(who)).toHaveLength(1);
});
