import type { ChaosEvidence } from './evidence';
import { runningWorkflows } from './histories';
import { isPromised } from './ledger';
import type { Evidence } from './reconciliation';
import { sandboxState } from './stripe-state';

/**
 * What was begun for clients who never came back and is neither done nor undone, in sentences. What is still pending is told by
 * `calm.ts`, and what does not agree by `reconciliation.ts`.
 */
export async function halfDone(evidence: ChaosEvidence): Promise<string[]> {
  const [unattended, reserved, unowned] = await Promise.all([
    bookingsWithoutSaga(evidence),
    reservationsWithoutRefund(evidence),
    moneyWithoutPayment(evidence),
  ]);
  return [...unattended, ...reserved, ...unowned];
}

/** Nobody would remind of such a session, complete it or hear its cancel. */
async function bookingsWithoutSaga({ database, temporal }: ChaosEvidence): Promise<string[]> {
  const live = await database('booking')<{ id: string; status: string }[]>`
    select id, status from bookings where status in ('pending', 'confirmed')`;
  const running = await runningWorkflows(temporal);
  return live
    .filter(({ id }) => !running.has(`booking:${id}`))
    .map(({ id, status }) => `booking ${id} is ${status}, and no saga runs for it`);
}

/** Whoever gave up on a refund must not keep its amount from all refunds to come, and what failed is owed until it is made. */
export async function reservationsWithoutRefund({ database }: Pick<Evidence, 'database'>): Promise<string[]> {
  const payments = database('payment');
  const rows = await payments<{ id: string; reserved: string; asked: string }[]>`
    select p.id, p.refund_pending as reserved, coalesce(sum(r.amount) filter (where ${isPromised(payments)}), 0) as asked
    from payments p left join refunds r on r.payment_id = p.id
    group by p.id having p.refund_pending <> 0`;
  return rows.map(({ id, reserved, asked }) => `payment ${id} reserves ${reserved} for refunds; promised are ${asked}`);
}

export async function moneyWithoutPayment(evidence: Pick<Evidence, 'database' | 'sandbox'>): Promise<string[]> {
  const { payment_intents: intents } = await sandboxState(evidence);
  const rows = await evidence.database('payment')<{ id: string }[]>`select id from payments`;
  const known = new Set(rows.map(({ id }) => id));
  return intents
    .filter(
      ({ status, metadata }) => ['requires_capture', 'succeeded'].includes(status) && metadata.inert === undefined,
    )
    .filter(({ metadata }) => !known.has(metadata.paymentId ?? ''))
    .map(({ id, status }) => `${id} is ${status} at Stripe and belongs to no payment`);
}
