import {
  expectLedgerIsStripes,
  type Payee,
  type PaymentStack,
  payoutsAt,
  startPaymentStack,
} from '../../../tests/support/payment';

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
  // What other tests have left is nobody's to ask about.
  await stack.service.database.sql`update payouts set arrived_at = now()`;
});

const { payee, earned, steps, opened, sent, bankSays, has } = payoutsAt(() => stack);

const sweep = async () => {
  const { status, body } = await stack.post('/payouts/sweep');
  return { status, body };
};
const woken = (id: string) =>
  stack.signals.filter(({ workflowId, wokenWith }) => workflowId === `payout:${id}` && wokenWith).length;
/** As if so many days had gone by. */
const pass = (id: string, days: number) => stack.service.database.sql`
  update payouts set arrived_at = arrived_at - make_interval(days => ${days}),
    swept_at = swept_at - make_interval(days => ${days}) where id = ${id}`;

/** A payout that the bank took so many days ago; nothing tells that it is sent back. */
async function arrived(days: number): Promise<{ who: Payee; id: string }> {
  const who = await payee();
  await earned(who);
  const id = await sent(who);
  await bankSays(id, { to: 'paid' });
  await steps.refresh(id);
  await pass(id, days);
  return { who, id };
}
const returned = (id: string) => bankSays(id, { to: 'failed', code: 'account_closed' });

test('one that comes back when no saga watches any more, of which no webhook tells, is found within a day and its saga woken', async () => {
  const { who, id } = await arrived(8);
  expect(await sweep()).toEqual({ status: 200, body: { asked: 1, returned: 0 } });
  await returned(id);
  expect((await sweep()).body).toEqual({ asked: 0, returned: 0 });
  await pass(id, 1);
  expect((await sweep()).body).toEqual({ asked: 1, returned: 1 });
  expect((await who.see(`/api/payouts/${id}`)).body).toMatchObject({
    ...{ status: 'failed', failure: { code: 'account_closed' } },
  });
  expect(woken(id)).toBe(1);
});

test.each([
  ['that its saga watches still', 6],
  ['that is a month old', 31],
])('one %s is left alone', async (_, days) => {
  const { id } = await arrived(days);
  await returned(id);
  expect((await sweep()).body).toEqual({ asked: 0, returned: 0 });
});

test('while Temporal is away it is woken a day later, until its money is payable again', async () => {
  const { id } = await arrived(8);
  await returned(id);
  stack.temporal.isDown = true;
  expect((await sweep()).body).toEqual({ asked: 0, returned: 0 });
  stack.temporal.isDown = false;
  await pass(id, 1);
  expect((await sweep()).body).toEqual({ asked: 1, returned: 1 });
  await steps.giveBack(id);
  await pass(id, 1);
  expect((await sweep()).body).toEqual({ asked: 0, returned: 0 });
  expect(woken(id)).toBe(1);
});

test('one about which Stripe’s answer is of no use holds up none behind, and is told', async () => {
  const [odd, behind] = [await arrived(10), await arrived(9)];
  await returned(behind.id);
  const [row] = await stack.service.database.sql`select stripe_payout_id as po from payouts where id = ${odd.id}`;
  const match = { method: 'GET', path: `/v1/payouts/${row?.po}` };
  await stack.fault({ kind: 'refuse_400', code: 'parameter_unknown', match });
  expect(await sweep()).toMatchObject({ status: 500, body: { code: 'internal' } });
  expect(woken(behind.id)).toBe(1);
});

test('two sweeps at once ask about each once', async () => {
  await Promise.all([1, 2, 3].map(() => arrived(8)));
  const swept = await Promise.all([sweep(), sweep()]);
  expect(swept.reduce((sum, { body }) => sum + body.asked, 0)).toBe(3);
});

describe('what an operator settled while nobody knew', () => {
  /** A transfer that Stripe has made without our knowing, then settled while Stripe is away. */
  async function settledInDoubt(as: 'waived' | 'paid_elsewhere', kind: 'drop_before' | 'drop_after') {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    // The SDK repeats a request whose connection was closed.
    await stack.fault({ kind, times: 2, match: { method: 'POST', path: '/v1/transfers' } });
    await stack.fault({ kind: 'drop_before', times: 20, match: { method: 'GET', path: '/v1/transfers' } });
    expect((await steps.transfer(id)).status).toBe(503);
    await steps.byHand(id, as);
    await stack.noFaults();
    return { who, id };
  }

  test.each(['waived', 'paid_elsewhere'] as const)('a transfer of one that is %s is found and recorded', async (as) => {
    const { who, id } = await settledInDoubt(as, 'drop_after');
    expect((await sweep()).body).toEqual({ asked: 1, returned: 0 });
    expect(await has(who, id)).toMatchObject({ transfers: 1, reversals: 0, inTransit: 0 });
    await expectLedgerIsStripes(stack);
    expect((await sweep()).body).toEqual({ asked: 0, returned: 0 });
  });

  test('of one that was never made is asked for a day', async () => {
    const { who, id } = await settledInDoubt('waived', 'drop_before');
    expect((await sweep()).body).toEqual({ asked: 1, returned: 0 });
    await stack.service.database.sql`
      update stripe_attempts set started_at = started_at - interval '25 hours' where subject = ${id}`;
    expect((await sweep()).body).toEqual({ asked: 1, returned: 0 });
    expect((await sweep()).body).toEqual({ asked: 0, returned: 0 });
    expect(await has(who, id)).toMatchObject({ transfers: 0, inTransit: 0, payable: 3_400 });
    await expectLedgerIsStripes(stack);
  });
});
