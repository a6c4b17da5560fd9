import {
  expectLedgerIsStripes,
  type PaymentStack,
  payoutsAt,
  startPaymentStack,
  until,
} from '../../../tests/support/payment';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { payoutPendingMs: 3_600_000 });
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

const { payee, earned, steps, opened, sent, bankSays, has } = payoutsAt(() => stack);

describe('an operator settles by hand', () => {
  test('that its payee was paid elsewhere: completed, and what Stripe has still is the platform’s', async () => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    const before = (await stack.ledger()).platform_revenue ?? 0;
    for (const _ of [1, 2])
      expect((await steps.byHand(id, 'paid_elsewhere')).body).toMatchObject({ status: 'completed', closed: true });
    expect((await steps.transfer(id)).body.code).toBe('undone');
    expect(await has(who, id)).toMatchObject({ payable: 0, inTransit: 0, transfers: 0 });
    expect(((await stack.ledger()).platform_revenue ?? 0) - before).toBe(-3_400);
    await expectLedgerIsStripes(stack);
  });

  test.each([
    ['before the transfer', 0, 'cancelled'],
    ['of what cannot be fetched back', 3_400, 'failed'],
  ] as const)('that it is waived, %s: payable again, and the platform bears what is gone', async (at, lost, status) => {
    const who = await payee();
    await earned(who);
    const id = lost > 0 ? await sent(who) : await opened(who);
    if (lost > 0) {
      await bankSays(id, { to: 'failed', code: 'account_closed' });
      await steps.refresh(id);
    }
    const before = (await stack.ledger()).platform_revenue ?? 0;
    expect([at, (await steps.byHand(id, 'waived')).body]).toMatchObject([at, { status, closed: true }]);
    expect(await has(who, id)).toMatchObject({ payable: 3_400, inTransit: 0 });
    expect(((await stack.ledger()).platform_revenue ?? 0) - before).toBe(lost);
    expect((await steps.giveBack(id)).body).toMatchObject(lost > 0 ? { closed: true } : { code: 'invalid_state' });
    await expectLedgerIsStripes(stack);
  });

  test.each(['waived', 'paid_elsewhere'] as const)(
    '%s while nobody knows of a transfer: none is sent after that',
    async (as) => {
      const who = await payee();
      await earned(who);
      const id = await opened(who);
      // A request for the transfer is noted, and never gets to Stripe.
      await stack.fault({ kind: 'drop_before', times: 20, match: { path: '/v1/transfers' } });
      expect((await steps.transfer(id)).status).toBe(503);
      await steps.byHand(id, as);
      await stack.noFaults();
      // What its saga undoes then finds it settled.
      expect((await steps.reverse(id)).body.closed).toBe(true);
      await steps.cancel(id);
      expect(await has(who, id)).toMatchObject({ transfers: 0, inTransit: 0, payable: as === 'waived' ? 3_400 : 0 });
      await expectLedgerIsStripes(stack);
    },
  );

  // Debits are positive: what the platform bears.
  const revenue = async () => (await stack.ledger()).platform_revenue ?? 0;
  const SETTLEMENTS = ['waived', 'paid_elsewhere'] as const;

  test.each(SETTLEMENTS)(
    '%s, and a transfer turns up later: the platform bears it, as if it had been known',
    async (as) => {
      const who = await payee();
      await earned(who);
      const id = await opened(who);
      const before = await revenue();
      await stack.fault({ kind: 'drop_after', times: 2, match: { method: 'POST', path: '/v1/transfers' } });
      await stack.fault({ kind: 'drop_before', times: 20, match: { method: 'GET', path: '/v1/transfers' } });
      expect((await steps.transfer(id)).status).toBe(503);
      await steps.byHand(id, as);
      await stack.noFaults();
      for (const _ of [1, 2]) expect((await steps.reverse(id)).body).toMatchObject({ closed: true, transferred: true });
      const payable = as === 'waived' ? 3_400 : 0;
      expect(await has(who, id)).toMatchObject({ payable, inTransit: 0, transfers: 1, reversals: 0 });
      expect((await revenue()) - before).toBe(payable);
      await expectLedgerIsStripes(stack);
    },
  );

  test.each(SETTLEMENTS)('%s while Stripe is making a transfer: the same', async (as) => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    await stack.fault({ kind: 'hang', ms: 1_500, match: { method: 'POST', path: '/v1/transfers' } });
    const transferring = steps.transfer(id);
    await until(async () => (await stack.service.database.sql`select from stripe_attempts where subject = ${id}`)[0]);
    await steps.byHand(id, as);
    await transferring;
    expect(await has(who, id)).toMatchObject({ payable: as === 'waived' ? 3_400 : 0, inTransit: 0, transfers: 1 });
    await expectLedgerIsStripes(stack);
  });

  test.each([
    ['is known of then', 'waived', 0],
    ['is known of then', 'paid_elsewhere', -3_400],
    ['turns up later', 'waived', 0],
    ['turns up later', 'paid_elsewhere', -3_400],
  ] as const)(
    'its transfer was fetched back, which %s, %s: what is back is the platform’s',
    async (known, as, borne) => {
      const who = await payee();
      await earned(who);
      const id = await opened(who);
      await steps.transfer(id);
      const before = await revenue();
      const path = '/v1/transfers/*/reversals';
      await stack.fault({ kind: 'drop_after', times: 2, match: { method: 'POST', path } });
      await stack.fault({ kind: 'drop_before', times: 20, match: { method: 'GET', path } });
      expect((await steps.reverse(id)).status).toBe(503);
      if (known === 'is known of then') await stack.noFaults();
      await steps.byHand(id, as);
      await stack.noFaults();
      expect((await steps.reverse(id)).body.closed).toBe(true);
      const payable = as === 'waived' ? 3_400 : 0;
      expect(await has(who, id)).toMatchObject({ payable, inTransit: 0, transfers: 1, reversals: 1, atStripe: 0 });
      expect((await revenue()) - before).toBe(borne);
      await expectLedgerIsStripes(stack);
    },
  );

  test('also while Stripe is away', async () => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    await stack.fault({ kind: 'drop_before', times: 20 });
    await steps.transfer(id);
    expect((await steps.byHand(id, 'waived')).body).toMatchObject({ status: 'cancelled', closed: true });
  });
});
