import { uuidv7 } from '../../../../platform/ids';
import { type Payee, type PaymentStack, payoutsAt, startPaymentStack } from '../../../../tests/support/payment';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());

const { payee, earned } = payoutsAt(() => stack);

const step = (what: 'freeze' | 'thaw', { id }: Pick<Payee, 'id'>, suspensionId: string) =>
  stack.post(`/payees/${id}/${what}`, `suspension:${suspensionId}/${what}`, { suspensionId });
const week = (name: string) => stack.post('/payouts/week', undefined, { week: name, after: null });

test('a payee who is kept out is not paid out, neither when they ask nor in the week, and is again afterwards', async () => {
  const who = await payee();
  await earned(who, 4_000);
  const suspensionId = uuidv7();
  expect((await step('freeze', who, suspensionId)).status).toBe(204);
  expect((await step('freeze', who, suspensionId)).status).toBe(204); // repeated
  expect(await who.ask()).toMatchObject({ status: 409, body: { code: 'payouts_disabled' } });
  expect((await week('2026-W49')).body).toMatchObject({ opened: 0, failed: [] });
  // What they earn is theirs all the same.
  expect((await who.see('/api/wallet')).body.balances).toMatchObject([{ payable: 3_400 }]);
  await step('thaw', who, suspensionId);
  expect((await who.ask()).status).toBe(201);
});

test('a payout that has begun goes on', async () => {
  const who = await payee();
  await earned(who, 4_000);
  const { body } = await who.ask();
  await step('freeze', who, uuidv7());
  const moved = await stack.post(`/payouts/${body.id}/transfer`, `payout:${body.id}/transfer`);
  expect(moved.status).toBe(200);
});

test('an earlier suspension that ends late leaves a later one in force', async () => {
  const who = await payee();
  await earned(who, 4_000);
  const [earlier, later] = [uuidv7(), uuidv7()];
  await step('freeze', who, earlier);
  await step('freeze', who, later);
  await step('thaw', who, earlier);
  expect((await who.ask()).body.code).toBe('payouts_disabled');
  await step('thaw', who, later);
  expect((await who.ask()).status).toBe(201);
});

test('of a freeze and a payout at once the payout is begun before it or not at all', async () => {
  for (let round = 0; round < 5; round++) {
    const who = await payee();
    await earned(who, 4_000);
    const [asked] = await Promise.all([who.ask(), step('freeze', who, uuidv7())]);
    expect([201, 409]).toContain(asked.status);
    expect((await who.see('/api/payouts')).body.items).toHaveLength(asked.status === 201 ? 1 : 0);
    expect((await who.ask()).body.code).toMatch(/^payouts_disabled$/);
  }
});
