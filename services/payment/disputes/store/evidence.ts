import { and, eq, ne, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { disputeEvidence, disputes, receipts } from '../../../../db/schema/payment';
import { ProblemError } from '../../../../kernel/errors';
import { type AdminAct, recordAct } from '../../../../platform/audit';
import { participants } from '../../../../platform/event-schema';
import { appendEvent } from '../../../../platform/outbox';
import type { GatheredEvidence } from '../../contract';
import { paymentEvents } from '../../events';
import { numberOf } from '../../receipts/rules';
import type { StripeEvidence } from '../../stripe/answers';
import { type Attempt, closeAttempt, doubtfulAttempts, openAttempt } from '../../stripe/store';
import { awaitsResponse, submitBy } from '../rules';
import { type DisputeRow, type DisputeView, lockDispute, readDispute } from './disputes';

// What is said against a dispute, until it is sent.

type Field = (typeof disputeEvidence.$inferSelect)['field'];

/**
 * Notes what a payee says, in place of what they said before. Their saga hears of it by the higher version.
 * @throws ProblemError not_found; edit_window_closed when it has been sent, or is about to be
 */
export async function stateDispute(db: Database, id: string, text: string): Promise<DisputeView> {
  return db.transaction(async (tx) => {
    const dispute = await lockDispute(tx, id);
    const until = submitBy(dispute);
    if (!until || until.getTime() <= Date.now()) throw new ProblemError('edit_window_closed');
    await put(tx, id, 'statement', text);
    await tx
      .update(disputes)
      .set({ version: dispute.version + 1, updatedAt: sql`now()` })
      .where(eq(disputes.id, id));
    const stated = await readDispute(tx, id);
    const { id: paymentId, payerId, payeeId } = stated.payment;
    await appendEvent(tx, paymentEvents, {
      streamId: id,
      type: 'DisputeStated',
      data: { disputeId: id, paymentId, participantIds: participants(payerId, payeeId) },
    });
    return stated;
  });
}

/** Notes what the platform knows, in place of what it knew before. @throws ProblemError not_found */
export async function noteGathered(db: Database, id: string, gathered: GatheredEvidence): Promise<DisputeView> {
  return db.transaction(async (tx) => {
    await lockDispute(tx, id);
    await tx
      .delete(disputeEvidence)
      .where(and(eq(disputeEvidence.disputeId, id), ne(disputeEvidence.field, 'statement')));
    for (const field of GATHERED) {
      const text = gathered[field];
      if (text !== undefined) await put(tx, id, field, text);
    }
    return readDispute(tx, id);
  });
}

const GATHERED = [
  'product_description',
  'service_date',
  'access_activity_log',
  'cancellation_policy_disclosure',
] as const satisfies readonly (keyof GatheredEvidence)[];

async function put(tx: Transaction, disputeId: string, field: Field, text: string): Promise<void> {
  await tx
    .insert(disputeEvidence)
    .values({ disputeId, field, text })
    .onConflictDoUpdate({
      target: [disputeEvidence.disputeId, disputeEvidence.field],
      set: { text, updatedAt: sql`now()` },
    });
}

/** Evidence that is about to be sent. */
export interface BegunSubmission {
  attempt: Attempt;
  evidence: StripeEvidence;
}

/**
 * Begins to send what speaks against a dispute, as it is then: what is said later is sent no more once Stripe has this.
 * @returns null when the bank waits for nothing, or there is nothing to say
 * @throws ProblemError not_found
 */
export async function beginSubmission(
  db: Database,
  id: string,
  stepKey: string,
  by?: ByAdmin,
): Promise<BegunSubmission | null> {
  return db.transaction(async (tx) => {
    const { status, paymentId } = await lockDispute(tx, id);
    if (!awaitsResponse(status)) return null;
    const rows = await tx.select().from(disputeEvidence).where(eq(disputeEvidence.disputeId, id));
    if (rows.length === 0) return null;
    if (by) await noteAct(tx, id, by, { act: 'dispute_evidence_sent', status });
    const attempt = await openAttempt(tx, { stepKey, kind: 'submit_evidence', subject: id });
    return { attempt, evidence: { ...inStripesWords(rows), ...(await withReceipt(tx, paymentId, rows)) } };
  });
}

/** An administrator, and why they do it. */
export type ByAdmin = Pick<AdminAct, 'adminId' | 'reason'>;

async function noteAct(tx: Transaction, id: string, by: ByAdmin, { act, status }: { act: string; status: string }) {
  await recordAct(tx, { ...by, act, subject: { type: 'dispute', id }, before: { status }, after: {} });
}

type Said = Pick<typeof disputeEvidence.$inferSelect, 'field' | 'text'>;

function inStripesWords(said: readonly Said[]): StripeEvidence {
  return Object.fromEntries(
    said.map(({ field, text }) => [field === 'statement' ? 'uncategorized_text' : field, text] as const),
  );
}

/** What happened, with the receipt of the payment, which is issued a moment after it. */
async function withReceipt(tx: Transaction, paymentId: string, said: readonly Said[]): Promise<StripeEvidence> {
  const [receipt] = await tx.select().from(receipts).where(eq(receipts.paymentId, paymentId));
  if (!receipt) return {};
  const log = said.find(({ field }) => field === 'access_activity_log')?.text;
  const day = receipt.issuedAt.toISOString().slice(0, 10);
  const issued = `${day} (UTC): the receipt ${numberOf('R', receipt)} of the payment was issued.`;
  return { access_activity_log: log === undefined ? issued : `${log}\n${issued}` };
}

/**
 * Begins to give a dispute up. @returns null when that was done before, whoever died in between
 * @throws ProblemError not_found; invalid_state when it is over, or only an inquiry
 */
export async function beginAcceptance(db: Database, id: string, stepKey: string, by: ByAdmin): Promise<Attempt | null> {
  return db.transaction(async (tx) => {
    const { status, acceptedAt } = await lockDispute(tx, id);
    // Another request may have been quicker.
    if (acceptedAt) return null;
    if (status === 'needs_response') {
      await noteAct(tx, id, by, { act: 'dispute_accepted', status });
      return openAttempt(tx, { stepKey, kind: 'accept_dispute', subject: id });
    }
    const begun = status === 'lost' ? await doubtfulAttempts(tx, id, 'accept_dispute') : [];
    const ours = begun.find(({ open }) => open);
    if (!ours) throw new ProblemError('invalid_state', 'Only a dispute whose bank waits for an answer can be given up');
    await closeAttempt(tx, ours, 'done');
    await tx.update(disputes).set({ acceptedAt: sql`now()` }).where(eq(disputes.id, id));
    return null;
  });
}

/**
 * Notes what came of asking the bank for something, in the moment that it is noted when: a look that comes after it may find the bank
 * further already. `code`: of Stripe's refusal.
 */
export async function endAtStripe(
  db: Database,
  { id }: Pick<DisputeRow, 'id'>,
  { attempt, code, mark }: { attempt: Attempt; code: string | null; mark: 'acceptedAt' | 'submittedAt' },
): Promise<void> {
  await db.transaction(async (tx) => {
    await closeAttempt(tx, attempt, code === null ? 'done' : 'refused', code);
    if (code !== null) return;
    const at = sql`coalesce(${disputes[mark]}, now())`;
    await tx
      .update(disputes)
      .set(mark === 'acceptedAt' ? { acceptedAt: at } : { submittedAt: at })
      .where(eq(disputes.id, id));
  });
}
