import { uuidv7 } from '../../../../platform/ids';
import { type PaymentStack, payoutsAt, startPaymentStack } from '../../../../tests/support/payment';
import {
  beginTransfer,
  cancelPayout,
  giveBack,
  recordReversal,
  recordSendRefusal,
  recordSent,
  recordStripePayout,
  recordTransfer,
  recordTransferRefusal,
  recordWait,
  stopPayout,
} from './at-stripe';
import { settlePayoutByHand } from './by-hand';
import { readPayoutDetails } from './payouts';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { payoutPendingMs: 3_600_000 });
});
afterAll(() => stack.close());

const { payee, earned, opened, sent, steps, has } = payoutsAt(() => stack);
const db = () => stack.service.database.db;

async function open() {
  const who = await payee();
  await earned(who);
  const id = await opened(who);
  const begin = async () => {
    const { attempt } = await beginTransfer(db(), `payout:${id}/transfer`, id, who.account);
    if (!attempt) throw new Error('nothing to send');
    return attempt;
  };
  return { who, id, begin };
}

describe('answers that come twice, or late', () => {
  test('a transfer is posted once, also one of a payout that was stopped meanwhile', async () => {
    const { who, id, begin } = await open();
    const attempt = await begin();
    await stopPayout(db(), id);
    for (const _ of [1, 2]) {
      const payout = await recordTransfer(db(), id, attempt, `tr_${id}`);
      expect(payout).toMatchObject({ status: 'processing', stripeTransferId: `tr_${id}` });
    }
    expect(await has(who, id)).toMatchObject({ payable: 0, inTransit: 0 });
    expect((await recordTransferRefusal(db(), id, attempt, 'balance_insufficient')).statusReason).toBeNull();
    for (const _ of [1, 2]) await recordReversal(db(), id, attempt, `trr_${id}`);
    expect(await has(who, id)).toMatchObject({ payable: 0, inTransit: 3_400 });
    expect(await cancelPayout(db(), id, null)).toMatchObject({ status: 'cancelled' });
    expect(await has(who, id)).toMatchObject({ payable: 3_400, inTransit: 0 });
  });

  test('a refusal for which nobody can do anything ends the wait', async () => {
    const { id, begin } = await open();
    const refused = await recordTransferRefusal(db(), id, await begin(), 'parameter_invalid');
    expect(refused).toMatchObject({ statusReason: 'refused_by_stripe', failureCode: 'parameter_invalid' });
  });

  test('a wait that is over, or said already, changes nothing', async () => {
    const { id } = await open();
    const first = await recordWait(db(), id, 'awaiting_funds');
    expect((await recordWait(db(), id, 'awaiting_funds')).version).toBe(first.version);
    await stopPayout(db(), id);
    expect((await recordWait(db(), id, null)).statusReason).toBe('awaiting_funds');
    expect((await stopPayout(db(), id)).doubtful).toEqual([]);
  });

  test('the bank’s word: the newest counts, the same tells nothing, and what was settled by hand stays', async () => {
    const who = await payee();
    await earned(who);
    const id = await sent(who);
    const [row] = await stack.service.database.sql`select stripe_payout_id as po from payouts where id = ${id}`;
    const said = { id: String(row?.po), bankAccount: 'ba_1', expectedAt: new Date(0), failureCode: null };
    const before = await recordStripePayout(db(), id, { ...said, status: 'processing' });
    expect((await recordStripePayout(db(), id, { ...said, status: 'completed' })).version).toBe(before.version + 1);
    expect((await recordStripePayout(db(), id, { ...said, status: 'processing' })).status).toBe('completed');
    await settlePayoutByHand(db(), id, 'paid_elsewhere');
    expect((await recordStripePayout(db(), id, { ...said, status: 'failed', failureCode: 'x' })).status).toBe(
      'completed',
    );
    const { attempt } = await beginTransfer(db(), `payout:${id}/late`, id, who.account).catch(() => ({
      attempt: null,
    }));
    expect(attempt).toBeNull();
  });

  test('an order that the bank has cannot be refused any more', async () => {
    const { id, begin } = await open();
    const attempt = await begin();
    await recordTransfer(db(), id, attempt, `tr_${id}`);
    const made = {
      id: `po_${id}`,
      status: 'processing',
      bankAccount: null,
      expectedAt: new Date(),
      failureCode: null,
    } as const;
    await recordSent(db(), id, attempt, made);
    expect((await recordSendRefusal(db(), id, attempt, 'payouts_not_allowed')).statusReason).toBeNull();
  });

  test('only what has come back is given back', async () => {
    const { id } = await open();
    await expect(giveBack(db(), id)).rejects.toMatchObject({ code: 'invalid_state' });
    await expect(giveBack(db(), uuidv7())).rejects.toMatchObject({ code: 'not_found' });
    await settlePayoutByHand(db(), id, 'waived');
    expect(await settlePayoutByHand(db(), id, 'paid_elsewhere')).toMatchObject({ closedAs: 'waived' });
    expect(await giveBack(db(), id)).toMatchObject({ status: 'cancelled' });
    expect((await steps.reverse(id)).body.closed).toBe(true);
  });
});

test('a payout says what each payment brought to it, and what else it is made of', async () => {
  const who = await payee();
  const [first, second] = [await earned(who), await earned(who, 1_000)];
  const id = await opened(who, { amount: { amount: 4_000, currency: 'EUR' } });
  const details = await readPayoutDetails(db(), id);
  expect(details).toMatchObject({ text: expect.stringContaining('set aside'), failureText: null, others: -250 });
  expect(details.lines).toEqual([
    { paymentId: first, bookingId: expect.any(String), amount: 3_400 },
    { paymentId: second, bookingId: expect.any(String), amount: 850 },
  ]);
  await steps.transfer(id);
  await steps.send(id);
  const [row] = await stack.service.database.sql`select stripe_payout_id as po from payouts where id = ${id}`;
  await stack.control('POST', `/payouts/${row?.po}`, { to: 'paid' });
  await steps.refresh(id);
  const third = await earned(who, 2_000);
  const next = await readPayoutDetails(db(), await opened(who));
  expect(next).toMatchObject({ others: 250, lines: [{ paymentId: third, amount: 1_700 }] });
});

test('what fails at the bank says so in words', async () => {
  const who = await payee();
  await earned(who);
  const id = await sent(who);
  const [row] = await stack.service.database.sql`select stripe_payout_id as po from payouts where id = ${id}`;
  await stack.control('POST', `/payouts/${row?.po}`, { to: 'failed', code: 'no_account' });
  await steps.refresh(id);
  expect((await readPayoutDetails(db(), id)).failureText).toBe('The bank knows no account of this number.');
});
