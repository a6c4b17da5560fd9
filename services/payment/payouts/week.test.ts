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

const { payee, onboard, earned, steps, sent, bankSays, has } = payoutsAt(() => stack);

/** Opens a week page by page, as its workflow does. */
async function open(week: string) {
  const failed: { payeeId: string; code: string }[] = [];
  const sums = { opened: 0, skipped: 0, failed, mostOfAPage: 0 };
  for (let after: string | null = null; ; ) {
    const { status, body } = await stack.post('/payouts/week', undefined, { week, after });
    expect(status).toBe(200);
    sums.opened += body.opened;
    sums.skipped += body.skipped;
    failed.push(...body.failed);
    sums.mostOfAPage = Math.max(sums.mostOfAPage, body.failed.length);
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

/** Somebody whose bank refused what they have earned, and has it back: Stripe is asked about them before the next one. */
async function refused(): Promise<Payee> {
  const who = await payee();
  await earned(who);
  const id = await sent(who);
  await bankSays(id, { to: 'failed', code: 'account_closed' });
  await steps.refresh(id);
  await steps.giveBack(id);
  return who;
}
const banksOf = ({ account }: Payee) => ({ method: 'GET', path: `/v1/accounts/${account}/external_accounts` });

test('whose bank refused the last one is left out until they give Stripe another account', async () => {
  const who = await refused();
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

test('for whom Stripe calls the question invalid holds up nobody: they are reported, whoever comes behind is paid out', async () => {
  const [first, second, behind] = [await refused(), await payee(), await payee()];
  await earned(second);
  await earned(behind);
  await stack.fault({ kind: 'refuse_400', code: 'parameter_unknown', times: 20, match: banksOf(first) });
  expect(await open('2027-W06')).toMatchObject({ failed: [{ payeeId: first.id, code: 'internal' }] });
  for (const who of [second, behind]) expect(await payoutsOf(who)).toHaveLength(1);
  await onboard(first.account);
  expect((await open('2027-W06')).failed).toHaveLength(1);
  await stack.noFaults();
  expect((await open('2027-W06')).failed).toEqual([]);
  expect(await payoutsOf(first)).toHaveLength(2);
});

test('while Stripe is away who needs it is reported, everybody has their turn, and asking again opens the rest', async () => {
  const without = [await refused(), await refused(), await refused(), await refused()];
  const behind = await payee();
  await earned(behind);
  for (const { account } of without) await onboard(account);
  await stack.fault({ kind: 'drop_before', times: 1_000 });
  const during = await open('2027-W07');
  const codes = new Map(during.failed.map(({ payeeId, code }) => [payeeId, code]));
  expect(without.map(({ id }) => codes.get(id))).toEqual(without.map(() => 'upstream_unavailable'));
  // One call waits for Stripe three times at most.
  expect(during.mostOfAPage).toBe(3);
  expect(await payoutsOf(behind)).toHaveLength(1);
  await stack.noFaults();
  expect((await open('2027-W07')).failed).toEqual([]);
  for (const who of without) expect(await payoutsOf(who)).toHaveLength(2);
});

test('Stripe’s silence about one currency holds up no other one', async () => {
  const who = await refused();
  await earned(who, 6_000, 'USD');
  await stack.fault({ kind: 'drop_before', times: 1_000 });
  expect((await open('2027-W08')).failed.map(({ payeeId }) => payeeId)).toContain(who.id);
  expect((await payoutsOf(who)).map(({ amount }: { amount: unknown }) => amount)).toEqual([
    { amount: 5_100, currency: 'USD' },
    EUR(3_400),
  ]);
});

test('while Temporal is away a payout is opened and reported, and nobody is paid twice', async () => {
  const who = await payee();
  await earned(who);
  stack.temporal.isDown = true;
  const down = await open('2027-W09');
  stack.temporal.isDown = false;
  expect(down.failed).toContainEqual({ payeeId: who.id, code: 'upstream_unavailable' });
  expect(await open('2027-W09')).toMatchObject({ opened: 0, failed: [] });
  expect(await payoutsOf(who)).toHaveLength(1);
  // The sweep starts what has no saga.
  const { sql } = stack.service.database;
  await sql`update payouts set created_at = created_at - interval '1 minute' where payee_id = ${who.id}`;
  await stack.post('/payments/sweep');
  const [{ workflowId }] = await payoutsOf(who);
  expect(stack.started.map((started) => started.workflowId)).toContain(workflowId);
});
