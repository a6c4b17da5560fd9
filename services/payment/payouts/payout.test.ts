import { uuidv7 } from '../../../platform/ids';
import { reaching } from '../../../platform/vendors';
import {
  BANKS,
  despite,
  dyingAfter,
  EUR,
  expectLedgerIsStripes,
  HANG_MS,
  type PaymentStack,
  payoutsAt,
  refundsAt,
  retried,
  startPaymentStack,
} from '../../../tests/support/payment';
import { send, transfer } from './payout';

// Many of these race dozens of requests: on a busy machine that takes its time.
jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { payoutPendingMs: 3_600_000 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { payee, onboard, earned, steps, opened, sent, bankSays, has } = payoutsAt(() => stack);
const { refunded } = refundsAt(() => stack);

describe('a payout is opened', () => {
  test('of all that is payable, once, however often it is asked for, and its saga is started', async () => {
    const who = await payee();
    await earned(who);
    await earned(who, 1_000);
    const key = uuidv7();
    const replies = await Promise.all(Array.from({ length: 10 }, (_, n) => who.ask({}, n < 5 ? key : uuidv7())));
    const made = replies.filter(({ status }) => status === 201);
    const ids = new Set(made.map(({ body }) => body.id));
    expect(ids.size).toBe(1);
    const codes = new Set(replies.filter(({ status }) => status !== 201).map(({ body }) => body.code));
    for (const code of codes)
      expect(['payout_in_progress', 'nothing_to_pay', 'idempotency_in_progress']).toContain(code);
    const [id = ''] = ids;
    expect((await who.ask({}, key)).status).toBe(201);
    expect(stack.started.filter(({ workflowId }) => workflowId === `payout:${id}`).length).toBeGreaterThan(0);
    expect(await has(who, id)).toMatchObject({ payable: 0, inTransit: 4_250 });
    expect((await who.see(`/api/payouts/${id}`)).body).toMatchObject({
      ...{ status: 'pending', statusReason: null, amount: EUR(4_250), workflowId: `payout:${id}`, failure: null },
      period: { from: null },
    });
    expect(await stack.events(id)).toEqual(['PayoutInitiated']);
  });

  test('of a part, and what is left waits until that is over', async () => {
    const who = await payee();
    await earned(who);
    expect((await who.ask({ amount: EUR(4_000) })).body).toMatchObject({
      ...{ code: 'nothing_to_pay', payable: EUR(3_400) },
    });
    const id = await opened(who, { amount: EUR(2_000) });
    expect(await has(who, id)).toMatchObject({ payable: 1_400, inTransit: 2_000 });
    expect((await who.ask()).body).toMatchObject({ code: 'payout_in_progress', payoutId: id });
  });

  test('not of nothing, of too little, without an account, or of what names no one currency', async () => {
    const who = await payee();
    expect(await who.ask()).toMatchObject({ status: 409, body: { code: 'nothing_to_pay' } });
    await earned(who, 1_000);
    expect(await who.ask()).toMatchObject({ status: 422, body: { code: 'below_minimum', minimum: EUR(1_000) } });
    await earned(who, 2_000, 'USD');
    expect(await who.ask()).toMatchObject({ status: 422, body: { errors: [{ path: 'body.currency' }] } });
    const mixed = { amount: EUR(1_000), currency: 'USD' };
    expect(await who.ask(mixed)).toMatchObject({ status: 422, body: { errors: [{ path: 'body.currency' }] } });
    expect(await who.ask({ currency: 'GBP' })).toMatchObject({ status: 409, body: { code: 'nothing_to_pay' } });
    expect(await who.ask({ currency: 'USD' })).toMatchObject({ status: 201 });

    const id = uuidv7();
    const token = await stack.service.userToken({ id, role: 'student' });
    await earned({ id });
    const asked = { token, key: uuidv7(), body: {} };
    const replies = [1, 2].map(() => stack.service.ask('POST', '/api/payouts/initiate', asked));
    for (const reply of await Promise.all(replies))
      expect(reply.body.code).toMatch(/^(payouts_disabled|idempotency_in_progress)$/);
  });

  test('its saga, which Temporal did not take, is started by the sweep', async () => {
    const who = await payee();
    await earned(who);
    stack.temporal.isDown = true;
    const key = uuidv7();
    expect((await who.ask({}, key)).status).toBe(503);
    stack.temporal.isDown = false;
    const { sql } = stack.service.database;
    const [row] = await sql`
      update payouts set created_at = now() - interval '1 minute' where payee_id = ${who.id} returning id`;
    expect((await stack.post('/payments/sweep')).body).toMatchObject({ started: 1 });
    expect((await stack.post('/payments/sweep')).body).toMatchObject({ started: 0 });
    expect(stack.started.at(-1)).toMatchObject({ workflowId: `payout:${row?.id}`, input: { payeeId: who.id } });
    expect((await who.ask({}, key)).body).toMatchObject({ id: row?.id, status: 'pending' });
  });
});

describe('a payout', () => {
  test('goes from what is payable to the bank, each step once however often it is asked for', async () => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    const asked = <T>(ask: () => Promise<T>) => Promise.all([1, 2, 3].map(() => ask()));
    await asked(() => retried(() => steps.start(id)));
    expect((await steps.check(id)).body).toMatchObject({ status: 'pending', reason: null });
    await asked(() => retried(() => steps.transfer(id)));
    expect(await has(who, id)).toEqual({
      ...{ payable: 0, inTransit: 0, transfers: 1, reversals: 0, atStripe: 3_400, paidOut: 0 },
    });
    await expectLedgerIsStripes(stack);
    await asked(() => retried(() => steps.send(id)));
    expect(await has(who, id)).toMatchObject({ atStripe: 0, paidOut: 3_400 });
    expect((await steps.refresh(id)).body).toMatchObject({ status: 'processing', sent: true, arrivedAt: null });
    await bankSays(id, { to: 'paid' });
    await asked(() => steps.refresh(id));
    const { body } = await who.see(`/api/payouts/${id}`);
    expect(body).toMatchObject({ status: 'completed', statusText: 'It is at your bank.', returnedAt: null });
    expect(Date.parse(body.arrivedAt)).toBeLessThanOrEqual(Date.now());
    expect(await stack.events(id)).toEqual([
      ...['PayoutInitiated', 'PayoutChanged', 'PayoutTransferred', 'PayoutChanged', 'PayoutCompleted'],
    ]);
    const [balance] = (await who.see('/api/wallet')).body.balances;
    expect(balance).toMatchObject({ payable: 0, inPayout: 0, paidOut: 3_400, minimum: 1_000 });
  });

  test.each([
    ['the bank does not take it', 'failed', 'no_account', 'The bank knows no account of this number.'],
    ['the bank sends it back after it was paid', 'paid', 'account_closed', 'The bank account has been closed.'],
  ] as const)('is payable again when %s', async (_, first, code, text) => {
    const who = await payee();
    await earned(who);
    const id = await sent(who);
    if (first === 'paid') {
      await bankSays(id, { to: 'paid' });
      expect((await steps.refresh(id)).body.status).toBe('completed');
    }
    expect((await steps.giveBack(id)).body.code).toBe('invalid_state');
    await bankSays(id, { to: 'failed', code });
    expect((await steps.refresh(id)).body).toMatchObject({
      status: 'failed',
      reason: 'refused_by_bank',
      closed: false,
    });
    expect((await who.see('/api/wallet')).body.balances[0]).toMatchObject({ payable: 0, inPayout: 3_400, paidOut: 0 });
    for (let time = 1; time <= 3; time++)
      expect((await steps.giveBack(id)).body).toMatchObject({ status: 'failed', closed: true });
    expect(await has(who, id)).toEqual({
      ...{ payable: 3_400, inTransit: 0, transfers: 1, reversals: 1, atStripe: 0, paidOut: 0 },
    });
    expect((await who.see(`/api/payouts/${id}`)).body).toMatchObject({ failure: { code, text } });
    await expectLedgerIsStripes(stack);
    // Late news of it change nothing, and the next one goes its way.
    await steps.refresh(id);
    await onboard(who.account);
    await sent(who);
  });

  test('waits for its payee, and for the bank account of its currency', async () => {
    const who = await payee(null);
    await earned(who);
    const id = await opened(who);
    expect((await steps.check(id)).body.reason).toBe('awaiting_onboarding');
    expect((await steps.transfer(id)).body).toMatchObject({ reason: 'awaiting_onboarding', transferred: false });
    await onboard(who.account, { currency: 'usd', country: 'US', account_number: '000123456789' });
    expect((await steps.check(id)).body.reason).toBe('awaiting_bank_account');
    expect((await who.see(`/api/payouts/${id}`)).body.statusText).toContain('bank account for this currency');
    await stack.stripe.accounts.createExternalAccount(who.account, {
      external_account: { object: 'bank_account', country: 'DE', currency: 'eur', account_number: BANKS.takes },
    });
    expect((await steps.check(id)).body.reason).toBeNull();
    expect((await steps.transfer(id)).body.transferred).toBe(true);
  });

  test('waits for our funds, found out by asking or by Stripe’s refusal', async () => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    const match = { method: 'POST', path: '/v1/transfers' };
    await stack.fault({ kind: 'refuse_400', code: 'balance_insufficient', match });
    expect((await steps.transfer(id)).body).toMatchObject({ reason: 'awaiting_funds', transferred: false });
    expect((await steps.transfer(id)).body).toMatchObject({ reason: null, transferred: true });

    const other = await payee();
    await earned(other);
    const second = await opened(other);
    const all = await stack.stripe.balance.retrieve();
    const left = all.available.find(({ currency }) => currency === 'eur')?.amount ?? 0;
    await stack.stripe.transfers.create({ amount: left, currency: 'eur', destination: who.account });
    expect((await steps.check(second)).body.reason).toBe('awaiting_funds');
    const made = await stack.stripe.transfers.list({ destination: who.account });
    await stack.stripe.transfers.createReversal(made.data[0]?.id ?? '');
    expect((await steps.check(second)).body.reason).toBeNull();
  });

  test('is called off while nothing was sent, and what comes late is refused', async () => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    for (const by of [1, 2]) {
      expect([
        by,
        (await steps.reverse(id)).status,
        (await steps.cancel(id, 'cancelled_by_operator')).body,
      ]).toMatchObject([...[by, 200, { status: 'cancelled', reason: 'cancelled_by_operator', closed: true }]]);
    }
    for (const late of [await steps.start(id), await steps.transfer(id), await steps.send(id)])
      expect(late.body.code).toBe('undone');
    expect(await has(who, id)).toMatchObject({ payable: 3_400, inTransit: 0, transfers: 0 });
    const { items } = (await who.see('/api/wallet/entries')).body;
    expect(items.map((item: { kind: string }) => item.kind)).toEqual(['payout_returned', 'paid_out', 'earned']);
    expect(items[0]).toMatchObject({ payoutId: id, paymentId: null, amount: 3_400, balanceAfter: 3_400 });
  });

  test('is called off after the transfer: that is fetched back first', async () => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    await steps.transfer(id);
    expect((await steps.cancel(id)).body.code).toBe('invalid_state');
    await steps.reverse(id);
    expect((await steps.cancel(id)).body).toMatchObject({ status: 'cancelled' });
    expect(await has(who, id)).toMatchObject({ payable: 3_400, transfers: 1, reversals: 1, atStripe: 0 });
    await expectLedgerIsStripes(stack);
  });

  test('that Stripe does not send to a bank says why, and can be called off', async () => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    await steps.transfer(id);
    const { data } = await stack.stripe.accounts.listExternalAccounts(who.account);
    await stack.stripe.accounts.createExternalAccount(who.account, {
      external_account: { object: 'bank_account', country: 'US', currency: 'usd', account_number: '000123456789' },
      default_for_currency: true,
    });
    await stack.stripe.accounts
      .deleteExternalAccount(who.account, data[0]?.id ?? '')
      .catch(() => stack.fault({ kind: 'refuse_400', match: { method: 'POST', path: '/v1/payouts' } }));
    expect((await steps.send(id)).body).toMatchObject({ sent: false, reason: 'no_bank_account' });
    await steps.reverse(id);
    expect((await steps.cancel(id)).body).toMatchObject({ status: 'cancelled', reason: 'no_bank_account' });
  });

  test('a reversal that Stripe refuses is an operator’s, and nothing is payable before', async () => {
    const who = await payee();
    await earned(who);
    const id = await sent(who);
    await bankSays(id, { to: 'failed', code: 'account_closed' });
    await steps.refresh(id);
    const match = { method: 'POST', path: '/v1/transfers/*/reversals' };
    await stack.fault({ kind: 'refuse_400', code: 'balance_insufficient', match });
    expect((await steps.giveBack(id)).body).toMatchObject({
      ...{ code: 'transfer_not_reversed', stripeCode: 'balance_insufficient' },
    });
    expect(await has(who, id)).toMatchObject({ payable: 0, reversals: 0 });
    expect((await steps.giveBack(id)).body).toMatchObject({ status: 'failed', closed: true });
    expect(await has(who, id)).toMatchObject({ payable: 3_400, reversals: 1 });
  });
});

describe('whatever happens to a request to Stripe, its money moves once', () => {
  const FAULTS = [
    { kind: 'error_500' },
    { kind: 'error_500', times: 3 },
    { kind: 'error_500_after' },
    { kind: 'drop_before' },
    { kind: 'drop_after' },
    { kind: 'hang', ms: HANG_MS },
    { kind: 'rate_limit_429' },
  ];

  test.each(FAULTS.map((fault) => [JSON.stringify(fault), fault] as const))('%s', async (_, fault) => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    const at = (path: string) => ({ ...fault, match: { method: 'POST', path } });
    await despite(stack, at('/v1/transfers'), (by) => steps.transfer(id, by));
    await stack.noFaults();
    await despite(stack, at('/v1/payouts'), (by) => steps.send(id, by));
    await stack.noFaults();
    expect(await has(who, id)).toMatchObject({ transfers: 1, atStripe: 0, paidOut: 3_400 });
    await bankSays(id, { to: 'failed', code: 'no_account' });
    await steps.refresh(id);
    await despite(stack, at('/v1/transfers/*/reversals'), (by) => steps.giveBack(id, by));
    expect(await has(who, id)).toEqual({
      ...{ payable: 3_400, inTransit: 0, transfers: 1, reversals: 1, atStripe: 0, paidOut: 0 },
    });
    await expectLedgerIsStripes(stack);
  });

  test('a process that dies between Stripe’s answer and its record', async () => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    const { till } = stack;
    const key = (step: string) => `payout:${id}/${step}`;
    const dying = (name: 'createTransfer' | 'createPayout') => ({
      ...till,
      stripe: { ...till.stripe, [name]: dyingAfter(till.stripe[name]) },
    });
    await expect(reaching('stripe', () => transfer(dying('createTransfer'), id, key('transfer')))).rejects.toThrow(
      'died',
    );
    expect((await steps.transfer(id)).body.transferred).toBe(true);
    await expect(reaching('stripe', () => send(dying('createPayout'), id, key('bank')))).rejects.toThrow('died');
    expect((await steps.send(id)).body.sent).toBe(true);
    expect(await has(who, id)).toMatchObject({ transfers: 1, paidOut: 3_400 });
  });

  test('a transfer of which nobody knows is brought to its end before it is fetched back', async () => {
    for (const kind of ['drop_before', 'drop_after']) {
      const who = await payee();
      await earned(who);
      const id = await opened(who);
      // The SDK sends once more what was cut off.
      await stack.fault({ kind, times: 2, match: { method: 'POST', path: '/v1/transfers' } });
      await stack.fault({ kind: 'error_500', match: { method: 'GET', path: '/v1/transfers' } });
      expect([kind, await steps.transfer(id)]).toMatchObject([kind, { status: 503 }]);
      await stack.noFaults();
      expect((await steps.cancel(id)).body.code).toBe('invalid_state');
      await retried(() => steps.reverse(id));
      expect((await steps.transfer(id)).body.code).toBe('undone');
      expect((await steps.cancel(id)).body).toMatchObject({ status: 'cancelled' });
      const { transfers, reversals, ...rest } = await has(who, id);
      expect(transfers).toBe(reversals);
      expect(rest).toMatchObject({ payable: 3_400, inTransit: 0, atStripe: 0 });
      await expectLedgerIsStripes(stack);
    }
  });
});

test('what was paid out and had to be given back is debt, which the next earnings pay first', async () => {
  const who = await payee();
  const paymentId = await earned(who);
  await sent(who);
  await refunded({ paymentId }, 2_000);
  const balance = async () => (await who.see('/api/wallet')).body.balances[0];
  expect(await balance()).toMatchObject({ payable: 0, debt: 1_700, inPayout: 3_400 });
  await earned(who, 4_000);
  expect(await balance()).toMatchObject({ payable: 1_700, debt: 0 });
  await expectLedgerIsStripes(stack);
});

test('payouts are listed page by page, and are their payee’s own alone', async () => {
  const who = await payee();
  const ids: string[] = [];
  for (let n = 0; n < 5; n++) {
    await earned(who);
    const id = await opened(who);
    await steps.cancel(id);
    ids.unshift(id);
  }
  const seen: string[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const { body } = await who.see(`/api/payouts?limit=2${cursor && `&cursor=${cursor}`}`);
    seen.push(...body.items.map(({ id }: { id: string }) => id));
    cursor = body.nextCursor;
  }
  expect(seen).toEqual(ids);
  const other = await payee();
  for (const id of [ids[0], uuidv7()]) expect((await other.see(`/api/payouts/${id}`)).status).toBe(404);
  expect((await other.see('/api/payouts')).body.items).toEqual([]);
  const admin = await stack.service.userToken({ role: 'admin' });
  expect((await stack.service.ask('GET', `/api/payouts/${ids[0]}`, { token: admin })).status).toBe(200);
  expect((await stack.service.ask('GET', '/api/payouts')).status).toBe(401);
  expect((await who.see('/api/payouts?cursor=bm9uZQ')).status).toBe(422);
});
