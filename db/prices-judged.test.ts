import { randomUUID } from 'node:crypto';
import type { Sql } from 'postgres';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { migrated } from '../tests/support/migrated';

// Tutors of the time before prices had to be chargeable, and the code of before beside that of today.

let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
beforeAll(async () => {
  server = await startThrowawayPostgres();
}, 60_000);
afterAll(() => server.stop());

/** As the code of before stores a tutor and their prices. */
async function store(sql: Sql, name: string, amount: number, currency: string): Promise<void> {
  const id = randomUUID();
  await sql`
    insert into tutor_profiles (id, display_name, time_zone, has_hours, hourly_amount, completed_at)
    values (${id}, ${name}, 'UTC', true, ${amount}, now())`;
  for (const [position, each] of [amount + 500, amount].entries())
    await sql`
      insert into tutor_pricing_options (id, tutor_id, position, kind, amount, currency)
      values (${randomUUID()}, ${id}, ${position}, 'hourly', ${each}, ${currency})`;
}

test('what was stored gets the currency of its prices and waits to be judged, as what the code of before stores later', async () => {
  await migrated(
    server,
    { context: 'tutoring', name: '_prices_judged' },
    async (sql) => {
      await store(sql, 'euros', 4500, 'EUR');
      await store(sql, 'strange', 4500, 'XDR');
      await sql`insert into tutor_profiles (id, display_name, time_zone) values (${randomUUID()}, 'unpriced', 'UTC')`;
    },
    async (sql) => {
      const listed = () => sql`
        select display_name as name, hourly_currency as currency, listed from tutor_profiles order by display_name`;
      // Nobody is unlisted here: which currencies settle is a setting.
      expect(await listed()).toEqual([
        { name: 'euros', currency: 'EUR', listed: true },
        { name: 'strange', currency: 'XDR', listed: true },
        { name: 'unpriced', currency: null, listed: false },
      ]);
      await store(sql, 'later', 4500, 'SEK');
      const unjudged = await sql`select count(*)::int as n from tutor_pricing_options where judged_under is null`;
      expect(unjudged).toEqual([{ n: 6 }]);
    },
  );
});
