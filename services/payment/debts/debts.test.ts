import { uuidv7 } from '../../../platform/ids';
import {
  chargeBooking,
  debtsAt,
  EUR,
  expectLedgerIsStripes,
  newBooking,
  type Payee,
  type PaymentStack,
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

const { paidOut, giveBack, debtor, age, earned, openAll, look, settle, stored, payable } = debtsAt(() => stack);

const sagaOf = ({ id }: Payee, currency = 'EUR') => `debt:${id}:${currency}`;
const wokenFor = (who: Payee, currency?: string) =>
  stack.signals.filter(({ workflowId }) => workflowId === sagaOf(who, currency));
const statuses = async (who: Payee) => (await stored(who)).map(({ status }) => status);

/** A debt that is open. */
async function opened(charged?: number): Promise<{ who: Payee; debtId: string }> {
  const who = await debtor(charged);
  await openAll();
  const [row] = await stored(who);
  return { who, debtId: String(row?.id) };
}

describe('the day’s run opens', () => {
  test('a debt of 200.00, once, however many run at once, and wakes its saga', async () => {
    const who = await debtor();
    const runs = await Promise.all(Array.from({ length: 6 }, openAll));
    expect(runs.reduce((sum, { opened }) => sum + opened, 0)).toBe(1);
    const [debt, ...others] = await stored(who);
    expect(others).toEqual([]);
    expect(debt).toMatchObject({ status: 'open', currency: 'EUR', amount: '25500', closed_as: null });
    expect(wokenFor(who)).toEqual(
      runs.map(() => ({
        ...{ workflowId: sagaOf(who), name: 'debtOpen', argument: { debtId: debt?.id } },
        wokenWith: { payeeId: who.id, currency: 'EUR' },
      })),
    );
    expect(await stack.events(String(debt?.id))).toEqual(['DebtOpened']);
  });

  test('a small one when it is ninety days old, not before, and not by how long its payee has been paid', async () => {
    const who = await debtor(4_000);
    await age(who, 89);
    await openAll();
    expect(await stored(who)).toEqual([]);
    await age(who, 1);
    await openAll();
    expect(await stored(who)).toMatchObject([{ status: 'open', amount: '3400' }]);

    const { who: late, payments } = await paidOut([4_000]);
    await age(late, 100);
    for (const payment of payments) await giveBack(payment);
    await openAll();
    expect(await stored(late)).toEqual([]);
  });

  test('one that is as old as the last time at which its payee came below zero', async () => {
    const { who, payments } = await paidOut([4_000, 4_000]);
    const [first = '', second = ''] = payments;
    await giveBack(first);
    await age(who, 80);
    await earned(who, 6_000);
    await age(who, 80);
    await giveBack(second);
    // Below zero once more, and not for 160 days.
    expect(await payable(who)).toBe(-1_700);
    await age(who, 89);
    await openAll();
    expect(await stored(who)).toEqual([]);
    await age(who, 1);
    await openAll();
    const [debt] = await stored(who);
    expect(debt).toMatchObject({ status: 'open', amount: '1700' });
    expect(Date.now() - Date.parse(String(debt?.since))).toBeLessThan(91 * 86_400_000);
  });

  test('one that is as old as when it began, whatever was added to it or paid of it since', async () => {
    const { who, payments } = await paidOut([4_000, 4_000]);
    const [first = '', second = ''] = payments;
    await giveBack(first);
    await age(who, 50);
    await giveBack(second);
    await earned(who, 1_000);
    await age(who, 39);
    await openAll();
    expect(await stored(who)).toEqual([]);
    await age(who, 1);
    await openAll();
    expect(await stored(who)).toMatchObject([{ status: 'open', amount: '5950' }]);
  });

  test('nothing that is covered by what is due', async () => {
    const who = await debtor();
    const booking = { ...newBooking(), payeeId: who.id };
    const { body } = await chargeBooking(stack, booking, { amount: 40_000 });
    const path = `/payments/${body.paymentId}/earnings/release`;
    await stack.post(path, `booking:${booking.bookingId}/release`, { notBefore: '2999-01-01T00:00:00.000Z' });
    await stack.service.database.sql`update payments set earnings_due_at = now() where id = ${body.paymentId}`;
    expect(await payable(who)).toBe(-25_500);
    await openAll();
    expect(await stored(who)).toEqual([]);
    expect(await payable(who)).toBe(8_500);
  });

  test('none below what its own currency’s limit is', async () => {
    const [below, above] = [await debtor(34_000, 'JPY'), await debtor(36_000, 'JPY')];
    await openAll();
    expect([await stored(below), await stored(above)]).toMatchObject([[], [{ currency: 'JPY', amount: '30600' }]]);
  });

  test('each currency’s', async () => {
    const { who, payments } = await paidOut([30_000]);
    for (const payment of payments) await giveBack(payment);
    const pounds = await earned(who, 40_000, 'GBP');
    await who.ask({ currency: 'GBP' });
    await giveBack(pounds);
    await openAll();
    expect(await stored(who)).toMatchObject([{ currency: 'EUR' }, { currency: 'GBP', amount: '34000' }]);
    expect(wokenFor(who, 'GBP')).toHaveLength(1);
    expect((await look(who, 'GBP')).body.left).toEqual({ amount: 34_000, currency: 'GBP' });
  });

  test('none of who owes nothing, and each payee once over all pages', async () => {
    const many = Array.from({ length: 600 }, () => uuidv7());
    await stack.service.database.sql`insert into payees (user_id) select unnest(${many}::uuid[])`;
    const who = await debtor();
    const before = await openAll();
    expect(await openAll()).toEqual({ ...before, opened: 0 });
    expect(await statuses(who)).toEqual(['open']);
    const [{ count } = { count: 0 }] = await stack.service.database.sql`
      select count(*)::int as count from debts where status = 'open'`;
    expect(before.open).toBe(count);
  });

  test('all behind a payee who cannot be looked at, whose turn comes when they can', async () => {
    const [one, other] = [await debtor(), await debtor()];
    const { sql } = stack.service.database;
    await sql.unsafe(`alter table debts add constraint nobody_can check (payee_id <> '${one.id}')`);
    expect(await openAll()).toMatchObject({ opened: 1, failed: 1 });
    expect([await statuses(one), await statuses(other)]).toEqual([[], ['open']]);
    await sql`alter table debts drop constraint nobody_can`;
    expect(await openAll()).toMatchObject({ opened: 1, failed: 0 });
  });

  test('what Temporal did not hear of is told again, and opened once', async () => {
    const who = await debtor();
    stack.temporal.isDown = true;
    expect((await stack.post('/debts/open', undefined, { after: null })).status).toBe(503);
    expect(wokenFor(who)).toEqual([]);
    stack.temporal.isDown = false;
    await openAll();
    expect(wokenFor(who)).toHaveLength(1);
    expect(await statuses(who)).toEqual(['open']);
  });
});

describe('a debt', () => {
  test('shows what is left of it, is paid by the next earnings and is closed when they have paid it', async () => {
    const { who, debtId } = await opened();
    expect((await look(who)).body).toMatchObject({ debtId, payeeId: who.id, status: 'open', left: EUR(25_500) });
    await earned(who, 10_000);
    expect((await look(who)).body).toMatchObject({ status: 'open', left: EUR(17_000) });
    await earned(who, 20_000);
    for (const _ of [1, 2]) expect((await look(who)).body).toMatchObject({ debtId, status: 'recovered', left: EUR(0) });
    expect(await stored(who)).toMatchObject([{ status: 'recovered', closed_as: null }]);
    expect(await payable(who)).toBe(0);
    expect(await stack.events(debtId)).toEqual(['DebtOpened', 'DebtRecovered']);
  });

  test.each(['paid_elsewhere', 'waived'] as const)(
    '%s by an operator: what was left is the platform’s, posted once however often it is said',
    async (as) => {
      const { who, debtId } = await opened();
      await earned(who, 10_000);
      const before = (await stack.ledger()).platform_revenue ?? 0;
      const replies = await Promise.all([1, 2, 3, 4].map(() => settle(who, debtId, as)));
      for (const { body } of replies) expect(body).toMatchObject({ debtId, status: 'settled', left: EUR(0) });
      expect(await payable(who)).toBe(0);
      expect(((await stack.ledger()).platform_revenue ?? 0) - before).toBe(17_000);
      expect(await stored(who)).toMatchObject([{ status: 'settled', closed_as: as }]);
      const posted = await stack.service.database
        .sql`select kind, reference from ledger_transactions where debt_id = ${debtId}`;
      expect(posted).toEqual([{ kind: as, reference: debtId }]);
      expect(await stack.events(debtId)).toEqual(['DebtOpened', 'DebtSettled']);
      const { body } = await who.see('/api/wallet/entries');
      expect(body.items[0]).toMatchObject({ kind: 'corrected', amount: 17_000, balanceAfter: 0 });
      expect((await who.see('/api/wallet')).body.balances).toMatchObject([{ debt: 0, payable: 0 }]);
      await expectLedgerIsStripes(stack);
    },
  );

  test('that earnings have paid meanwhile is recovered when an operator settles it, and nothing is posted', async () => {
    const { who, debtId } = await opened();
    await earned(who, 40_000);
    expect((await settle(who, debtId, 'waived')).body).toMatchObject({ status: 'recovered' });
    expect(await payable(who)).toBe(8_500);
    expect((await look(who)).body).toMatchObject({ status: 'recovered' });
  });

  test('is settled by no sum that is being counted: whoever has the payee’s lock is waited for', async () => {
    const { who, debtId } = await opened();
    const { sql } = stack.service.database;
    const { settled } = await sql.begin(async (counting) => {
      await counting`select from payees where user_id = ${who.id} for update`;
      const asked = settle(who, debtId, 'waived').then(({ body }) => body);
      await until(async () => {
        const [waiting] = await sql`
          select from pg_stat_activity where wait_event_type = 'Lock' and query ilike '%"payees"%' and pid <> pg_backend_pid()`;
        return waiting !== undefined;
      });
      expect(await statuses(who)).toEqual(['open']);
      return { settled: asked };
    });
    expect((await settled).status).toBe('settled');
  });

  test('that an operator settles while earnings become payable: each is whole, whichever comes first', async () => {
    for (let round = 0; round < 4; round++) {
      const { who, debtId } = await opened();
      const before = (await stack.ledger()).platform_revenue ?? 0;
      await Promise.all([earned(who, 40_000), settle(who, debtId, 'waived')]);
      const [debt] = await stored(who);
      const lost = ((await stack.ledger()).platform_revenue ?? 0) - before + 6_000; // less the fee of what was earned
      expect([debt?.status, lost, await payable(who)]).toEqual(
        debt?.status === 'settled' ? ['settled', 25_500, 34_000] : ['recovered', 0, 8_500],
      );
    }
  });

  test('is another one when what comes after its end takes its payee below zero again', async () => {
    const { who, payments } = await paidOut([30_000, 30_000]);
    const [first = '', second = ''] = payments;
    await giveBack(first);
    await openAll();
    const [one] = await stored(who);
    await settle(who, String(one?.id), 'waived');
    await giveBack(second);
    await openAll();
    const [, other, ...more] = await stored(who);
    expect(more).toEqual([]);
    expect(other).toMatchObject({ status: 'open', amount: '25500' });
    expect((await look(who)).body).toMatchObject({ debtId: other?.id, status: 'open', left: EUR(25_500) });
    // A late word about the first settles nothing of the second.
    expect((await settle(who, String(one?.id), 'waived')).body).toMatchObject({ debtId: one?.id, status: 'settled' });
    expect(await payable(who)).toBe(-25_500);
  });

  test('is nobody else’s', async () => {
    const { who, debtId } = await opened();
    const stranger = { id: uuidv7() };
    expect((await look(stranger)).body.code).toBe('not_found');
    expect((await settle(stranger, debtId, 'waived')).body.code).toBe('not_found');
    expect((await settle(who, debtId, 'waived', 'GBP')).body.code).toBe('not_found');
    expect(await statuses(who)).toEqual(['open']);
  });
});
