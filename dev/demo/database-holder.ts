import postgres, { type Sql } from 'postgres';
import { openDatabase } from '../../db/client';
import { ownerUrl } from '../../db/roles';
import type { Config } from '../../platform/config';
import { identityKey } from '../../services/identity/keyring';
import { grantAdmin } from '../../services/identity/store/roles';

/** What only the holder of the databases can do, and no client. */
export interface DatabaseHolder {
  /** Makes somebody an administrator, as `npm run grant-admin` does. @returns the secret of the authenticator that they get with it */
  makeAdmin(email: string): Promise<string>;
  /** What the ledger has of a payment and its disputes in Stripe's balance, in minor units. */
  ledgerOf(paymentId: string): Promise<number>;
}

/** Undefined where a setting names another Postgres: nobody is made an administrator there. */
export function databaseHolderOf(config: Config): DatabaseHolder | undefined {
  const { identity, payment } = config.databaseUrl;
  if (identity || payment) return undefined;
  const urlOf = (context: 'identity' | 'payment') =>
    ownerUrl(`postgres://127.0.0.1:${config.POSTGRES_PORT}`, context, config.DATABASE_ROLE_SECRET ?? '');
  return {
    async makeAdmin(email) {
      const database = openDatabase(urlOf('identity'), { poolSize: 1, applicationName: 'demo' });
      try {
        const { enrolment } = await grantAdmin(database.db, email, { key: identityKey(config, 'totp') });
        if (!enrolment) throw new Error(`${email} has a second factor already`);
        return enrolment.secret;
      } finally {
        await database.close();
      }
    },
    async ledgerOf(paymentId) {
      const payments = postgres(urlOf('payment'), { max: 1 });
      try {
        return await inStripesBalance(payments, paymentId);
      } finally {
        await payments.end({ timeout: 1 });
      }
    },
  };
}

async function inStripesBalance(sql: Sql, paymentId: string): Promise<number> {
  const [row] = await sql<{ amount: number }[]>`
    select coalesce(sum(e.amount), 0)::int as amount
    from ledger_entries e join ledger_transactions t on t.id = e.transaction_id
    where e.account = 'stripe_balance'
      and (t.payment_id = ${paymentId} or t.dispute_id in (select id from disputes where payment_id = ${paymentId}))`;
  return row?.amount ?? 0;
}
