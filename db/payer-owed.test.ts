import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { migrated } from '../tests/support/migrated';

// Refunds of the time before what is owed to a payer had an account: what failed and was not given up counts as promised from now on.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

test('what refunds of before have promised and not given up is reserved, but no more than was captured', async () => {
  const rows = await migrated(
    server,
    { context: 'payment', name: '_payer_owed' },
    async (sql) => {
      const payments = await sql`
        insert into payments (id, payer_id, payee_id, status, capture, currency, amount, fee, captured, refunded, refund_pending, payment_method_id, description)
        select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'captured', 'automatic', 'EUR', 1000, 150, 1000, refunded, pending, 'pm_x', name
        from (values ('failed', 0, 0), ('closed', 0, 0), ('pending', 0, 300), ('both', 0, 300), ('twice', 800, 0), ('none', 0, 0)) as made (name, refunded, pending)
        returning id, description`;
      const of = Object.fromEntries(payments.map(({ id, description }) => [description, id]));
      const refund = (name: string, status: string, amount: number, closed: string | null, origin = 'request') => sql`
        insert into refunds (id, payment_id, origin, reason, status, currency, amount, closed_as)
        values (gen_random_uuid(), ${of[name]}, ${origin}, ${name}, ${status}, 'EUR', ${amount}, ${closed})`;
      await refund('failed', 'failed', 400, 'succeeded');
      await refund('closed', 'failed', 400, 'failed');
      await refund('pending', 'pending', 300, null);
      await refund('both', 'pending', 300, null);
      await refund('both', 'failed', 200, null);
      await refund('twice', 'succeeded', 800, 'succeeded');
      await refund('twice', 'failed', 800, null);
      await refund('none', 'succeeded', 1, 'succeeded', 'settlement');
    },
    async (sql) => ({
      pending: await sql`select description, refund_pending from payments order by description`,
      told: await sql`select reason from refunds where told_try = tries`,
    }),
  );
  const pending = { both: 500, closed: 0, failed: 400, none: 0, pending: 300, twice: 200 };
  expect(Object.fromEntries(rows.pending.map((row) => [row.description, Number(row.refund_pending)]))).toEqual(pending);
  expect(rows.told.map(({ reason }) => reason)).toEqual(['twice']);
});
