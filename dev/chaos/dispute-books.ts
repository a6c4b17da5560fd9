import { type Client, WorkflowNotFoundError } from '@temporalio/client';
import type { Sql } from 'postgres';
import type { DatabaseContext } from '../../kernel/modules';
import { disputeWorkflowId } from '../../workflows/dispute.api';
import type { DisputeBooks, DisputeRow, StandingRow } from './disputes';

/** Reads what payment and its ledger have of disputes. */
export async function disputeBooks({
  database,
}: {
  database(context: DatabaseContext): Sql;
}): Promise<Omit<DisputeBooks, 'sagas'>> {
  const sql = database('payment');
  const isStripes = sql`t.kind in ('dispute_withdrawn', 'dispute_reinstated')`;
  const [disputes, payments, ledger] = await Promise.all([
    sql<DisputeRow[]>`
      select d.id, d.stripe_dispute_id as "stripeId", d.payment_id as payment, d.status, d.currency,
        d.amount::float8 as amount, d.withdrawn::float8 as withdrawn, d.decided_at is not null as decided,
        d.closed_version is not distinct from d.version as seen,
        coalesce(sum(e.amount) filter (where ${isStripes} and e.account = 'disputed'), 0)::float8 as posted,
        coalesce(sum(e.amount) filter (where e.account = 'dispute_fees'), 0)::float8 as fees,
        coalesce(-sum(e.amount) filter (where not ${isStripes} and e.account = 'disputed'), 0)::float8 as lost,
        coalesce(-sum(e.amount) filter (where e.account like 'tutor_frozen:%'), 0)::float8 as frozen,
        coalesce(sum(e.amount) filter (where e.account = 'platform_revenue'
          or e.account ~ '^(tutor_pending|tutor_payable|payer_owed):'), 0)::float8 as shared,
        coalesce(sum(e.amount) filter (where e.account = 'dispute_losses'), 0)::float8 as losses
      from disputes d left join ledger_transactions t on t.dispute_id = d.id
        left join ledger_entries e on e.transaction_id = t.id
      group by d.id`,
    // What Stripe took twice is parked with the platform until it is sent back, and is no part of the payment.
    sql<StandingRow[]>`
      select p.id, p.captured::float8 as captured, p.disputed::float8 as disputed, p.charged_back::float8 as "chargedBack",
        coalesce(-sum(e.amount) filter (where e.account = 'tutor_pending:' || p.payee_id), 0)::float8 as pending,
        coalesce(-sum(e.amount) filter (where e.account = 'tutor_payable:' || p.payee_id), 0)::float8 as payable,
        coalesce(-sum(e.amount) filter (where e.account = 'platform_revenue'), 0)::float8 as revenue,
        coalesce(-sum(e.amount) filter (where e.account = 'tutor_frozen:' || p.payee_id), 0)::float8 as frozen,
        coalesce(-sum(e.amount) filter (where e.account = 'payer_owed:' || p.id), 0)::float8 as owed,
        coalesce(-sum(e.amount) filter (where e.account = 'stripe_balance'
          and t.kind in ('refund', 'refund_reversal')), 0)::float8 as sent
      from payments p left join ledger_transactions t on t.kind not in ('stray_capture', 'stray_refund')
          and (t.payment_id = p.id or t.dispute_id in (select id from disputes d where d.payment_id = p.id))
        left join ledger_entries e on e.transaction_id = t.id
      where p.captured > 0 group by p.id`,
    sql<{ account: string; currency: string; amount: number }[]>`
      select account, currency, sum(amount)::float8 as amount from ledger_entries group by 1, 2`,
  ]);
  return { disputes, payments, ledger };
}

/** How the sagas of disputes are, by the disputes' ids, in Temporal's words; left out: there is none. */
export async function disputeSagas(
  temporal: Client,
  disputes: readonly Pick<DisputeRow, 'id'>[],
): Promise<DisputeBooks['sagas']> {
  const sagas = new Map<string, string>();
  for (const { id } of disputes) {
    const described = await temporal.workflow
      .getHandle(disputeWorkflowId(id))
      .describe()
      .catch((error: unknown) => {
        if (error instanceof WorkflowNotFoundError) return undefined;
        throw error;
      });
    if (described) sagas.set(id, described.status.name);
  }
  return sagas;
}
