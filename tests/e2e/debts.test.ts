import { currentDetails, historyOf, textOf } from '../../dev/chaos/histories';
import { uuidv7 } from '../../platform/ids';
import { type DailyDebtsResult, dailyDebtsSchedule } from '../../workflows/daily-debts.api';
import { debtSaga } from '../../workflows/debt.api';
import { type Resolution, resolve } from '../../workflows/saga.api';
import { createMarketplace, type Marketplace, type Person } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { runNow } from '../support/schedules';

jest.setTimeout(240_000);

const EUR = (amount: number) => ({ amount, currency: 'EUR' });

let platform: TestPlatform;
let market: Marketplace;
let student: Person;
beforeAll(async () => {
  platform = await startTestPlatform({ EARNINGS_HOLD_DAYS: '0' });
  market = createMarketplace(platform);
  student = await market.student();
  // What is set aside for a payout waits for its payee: nothing of it leaves.
  await platform.sandbox('POST', '/sandbox/settings', { onboarding: 'required' });
});
afterAll(() => platform?.stop());

/** Has a payee earn what is payable at once, 85 % of `amount`. @returns the payment */
async function earns(payee: Person, amount: number): Promise<string> {
  const body = { payeeId: payee.id, amount: EUR(amount), paymentMethodId: 'pm_card_visa', description: 'Books' };
  const paid = await platform.ask('POST', '/api/payments', { token: student.token, key: uuidv7(), body });
  await platform.temporal.workflow.getHandle(paid.body.workflowId).result();
  return paid.body.id;
}

const ask = (payee: Person, path: string, body: object) =>
  platform.ask('POST', path, { token: payee.token, key: uuidv7(), body });

/** Gives a payment of a payee back to who paid it. */
async function givesBack(payee: Person, paymentId: string, amount: number): Promise<void> {
  const body = { amount: EUR(amount), reason: 'A book was missing' };
  const refund = await ask(payee, `/api/payments/${paymentId}/refund`, body);
  await platform.temporal.workflow.getHandle(refund.body.workflowId).result();
}

/** Has a payee owe what was set aside for their payout and given back after that. */
async function owes(payee: Person, amount: number): Promise<void> {
  const paymentId = await earns(payee, amount);
  expect((await ask(payee, '/api/payouts/initiate', {})).status).toBe(201);
  await givesBack(payee, paymentId, amount);
}

const balanceOf = async ({ token }: Person) => (await platform.ask('GET', '/api/wallet', { token })).body.balances[0];
const openAll = () => runNow<DailyDebtsResult>(platform, dailyDebtsSchedule);
const sagaOf = ({ id: payeeId }: Person) =>
  platform.temporal.workflow.getHandle(debtSaga.workflowId({ payeeId, currency: 'EUR' }));

async function asksAnOperator(payee: Person): Promise<string> {
  const saga = sagaOf(payee);
  return eventually('the debt is an operator’s', async () => {
    const details = await currentDetails(saga);
    return details.includes('**debt** is not done') && details;
  });
}

const say = (payee: Person, action: Resolution['action']) =>
  sagaOf(payee).executeUpdate(resolve, { args: [{ step: 'debt', action }] });

test('a payee below zero is shown it, an operator is asked once however often the Schedule runs, and settles it', async () => {
  const [payee = student, small = student] = await market.payees(2);
  await owes(payee, 30_000);
  await owes(small, 20_000);
  expect(await balanceOf(payee)).toMatchObject({ debt: 25_500, payable: 0 });

  expect(await openAll()).toEqual({ opened: 1, open: 1 });
  const details = await asksAnOperator(payee);
  expect(details).toContain(`Payee ${payee.id} owes 255.00 EUR since 20`);
  const { runId, searchAttributes } = await sagaOf(payee).describe();
  expect(searchAttributes).toMatchObject({
    SagaKind: ['debt'],
    SagaState: ['NeedsAttention'],
    Refs: [`user:${payee.id}`],
  });
  expect(await openAll()).toEqual({ opened: 0, open: 1 });
  await asksAnOperator(payee);
  expect((await sagaOf(payee).describe()).runId).toBe(runId);

  await say(payee, 'waived');
  expect(await sagaOf(payee).result()).toEqual({ status: 'settled' });
  expect(await balanceOf(payee)).toMatchObject({ debt: 0, payable: 0 });
  expect(await openAll()).toEqual({ opened: 0, open: 0 });
  // What is too small, and young, is the payee's and nobody else's.
  expect(await balanceOf(small)).toMatchObject({ debt: 17_000 });
  const history = textOf(await historyOf(platform.temporal, sagaOf(payee).workflowId));
  for (const word of [payee.email, payee.firstName, payee.lastName]) expect(history).not.toContain(word);
});

test('earnings pay it: the saga ends by itself, and the next debt begins it again under its id', async () => {
  const [payee = student] = await market.payees(1);
  await owes(payee, 30_000);
  await openAll();
  await asksAnOperator(payee);
  const paymentId = await earns(payee, 40_000);
  expect(await balanceOf(payee)).toMatchObject({ debt: 0, payable: 8_500 });
  // The Schedule's word has it looked at.
  await openAll();
  expect(await sagaOf(payee).result()).toEqual({ status: 'recovered' });

  const { runId } = await sagaOf(payee).describe();
  const rows = () => platform.database('payment')`
    select status, closed_as from debts where payee_id = ${payee.id} order by opened_at`;
  await givesBack(payee, paymentId, 40_000);
  await openAll();
  await asksAnOperator(payee);
  expect((await sagaOf(payee).describe()).runId).not.toBe(runId);
  expect(await rows()).toMatchObject([{ status: 'recovered', closed_as: null }, { status: 'open' }]);
  await say(payee, 'paid_elsewhere');
  expect(await sagaOf(payee).result()).toEqual({ status: 'settled' });
  expect(await rows()).toMatchObject([{ status: 'recovered' }, { status: 'settled', closed_as: 'paid_elsewhere' }]);
});
