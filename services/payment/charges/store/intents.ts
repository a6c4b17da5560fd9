import { eq, getTableColumns, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../../db/client';
import { payments } from '../../../../db/schema/payment';
import { captureEntries } from '../../ledger/rules';
import { type PaymentPosting, post, stripeFeePostings } from '../../ledger/store';
import type { Intent } from '../../stripe/answers';
import { type Attempt, type Closing, closeAttempt } from '../../stripe/store';
import { feeOf, nextStatus } from '../rules';
import { changePayment, lockPayment, type PaymentPatch, type PaymentRow } from './payments';

// What Stripe says of a payment's intent, as it is recorded here.

/** A payment by its intent. */
export interface KnownIntent {
  payment: PaymentRow;
  /** Its money and Stripe's fee are in the ledger: whatever the intent says from now on is nothing new. */
  isBooked: boolean;
}

/** A payment's intent has money and fee in the ledger. Refunds and strays have fees of their own, so with one of those nobody can tell. */
const isBooked = sql<boolean>`coalesce((
  select bool_or(t.kind = 'stripe_fee') and bool_and(t.kind in ('capture', 'stripe_fee', 'release'))
  from ledger_transactions t where t.payment_id = payments.id), false)`;

/** The payment whose intent this is; undefined when no payment here knows the intent. */
export async function findPaymentByIntent(db: Database, intentId: string): Promise<KnownIntent | undefined> {
  const [row] = await db
    .select({ payment: getTableColumns(payments), isBooked })
    .from(payments)
    .where(eq(payments.stripeIntentId, intentId));
  return row;
}

/**
 * Records what Stripe says of an intent: state, ledger, event. An intent that is not the payment's own changes nothing:
 * compare `stripeIntentId` of what comes back.
 * @throws ProblemError not_found
 */
export async function recordIntent(db: Database, id: string, intent: Intent, closing?: Closing): Promise<PaymentRow> {
  return db.transaction(async (tx) => {
    const row = await lockPayment(tx, id);
    if (closing) await closeAttempt(tx, closing.attempt, closing.outcome, closing.code);
    return applyIntent(tx, row, intent);
  });
}

/** Records that Stripe refused to make an intent at all: the payment has failed, by a fault of ours or else declined. @throws ProblemError not_found */
export async function recordChargeRefusal(
  db: Database,
  id: string,
  attempt: Attempt,
  { code, isOurs }: { code: string; isOurs: boolean },
): Promise<PaymentRow> {
  return db.transaction(async (tx) => {
    const row = await lockPayment(tx, id);
    await closeAttempt(tx, attempt, 'refused', code);
    if (row.status !== 'pending' || row.stripeIntentId) return row;
    const why = isOurs ? { refusal: 'payment_rejected' as const } : { declineCode: code };
    return changePayment(tx, row, { status: 'failed', ...why });
  });
}

async function applyIntent(tx: Transaction, row: PaymentRow, intent: Intent): Promise<PaymentRow> {
  if (row.stripeIntentId !== intent.id && (row.stripeIntentId !== null || row.status !== 'pending')) return row;
  const status = nextStatus(row, intent) ?? row.status;
  const patch: PaymentPatch = {
    stripeIntentId: intent.id,
    status,
    declineCode: status === 'pending' || status === 'failed' ? (row.declineCode ?? intent.declineCode) : null,
    captured: status === 'captured' && row.captured === 0 ? intent.received : row.captured,
    clientSecret: status === 'requires_action' ? intent.clientSecret : null,
    captureBefore: row.captureBefore ?? intent.captureBefore,
  };
  const availableOn = row.availableOn ?? intent.availableOn;
  const changed = differs(row, patch) ? await changePayment(tx, row, { ...patch, availableOn }) : row;
  // Known later than the rest, it is no new version: nobody is shown it.
  if (availableOn && !changed.availableOn)
    await tx.update(payments).set({ availableOn }).where(eq(payments.id, row.id));
  if (changed.captured > 0) await postCapture(tx, changed, intent);
  return changed;
}

function differs(row: PaymentRow, patch: PaymentPatch): boolean {
  const before = new Map<string, unknown>(Object.entries(row));
  return Object.entries(patch).some(([name, value]) => String(before.get(name)) !== String(value));
}

async function postCapture(tx: Transaction, row: PaymentRow, intent: Intent): Promise<void> {
  const entries = captureEntries(row.captured, feeOf(row), row.payeeId);
  const { id: paymentId, currency } = row;
  const money: PaymentPosting = { paymentId, kind: 'capture', reference: intent.id, currency, entries };
  await post(tx, row, money, ...stripeFeePostings(paymentId, intent.movement));
}
