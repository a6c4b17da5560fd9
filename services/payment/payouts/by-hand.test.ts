import { expectLedgerIsStripes, type PaymentStack, payoutsAt, startPaymentStack } from '../../../tests/support/payment';

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

  test('also while Stripe is away', async () => {
    const who = await payee();
    await earned(who);
    const id = await opened(who);
    await stack.fault({ kind: 'drop_before', times: 20 });
    await steps.transfer(id);
    expect((await steps.byHand(id, 'waived')).body).toMatchObject({ status: 'cancelled', closed: true });
  });
});
