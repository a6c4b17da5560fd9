import { ACCOUNT_KINDS, type AccountKind } from '../../../kernel/ledger';
import { scaleHalfUp } from '../../../kernel/money';

/** One side of a movement: positive is a debit, negative a credit. The sides of a movement sum to zero. */
export interface Entry {
  account: string;
  amount: number;
}

/** What we hold at Stripe; equal to Stripe's own balance of that currency, to the cent. */
export const STRIPE_BALANCE = 'stripe_balance';
/** What the platform has earned. */
export const PLATFORM_REVENUE = 'platform_revenue';
/** What Stripe keeps for processing. */
export const STRIPE_FEES = 'stripe_fees';
/** Earned by a tutor, not yet payable: the session lies ahead. */
export const tutorPending = (tutorId: string) => `tutor_pending:${tutorId}`;
/** What a tutor can be paid out. */
export const tutorPayable = (tutorId: string) => `tutor_payable:${tutorId}`;
/** Promised to a payment's payer, or come back from their bank, and not yet made at Stripe. Neither the tutor's nor the platform's any more. */
export const payerOwed = (paymentId: string) => `payer_owed:${paymentId}`;

/** Taken out of a payee's payable earnings for a payout, and not at their account at Stripe. */
export const payoutInTransit = (payoutId: string) => `payout_in_transit:${payoutId}`;

/** Taken by a bank for a dispute that is not decided. */
export const DISPUTED = 'disputed';
/** What the platform has lost by disputes beyond what was left of their payments. */
export const DISPUTE_LOSSES = 'dispute_losses';
/** What Stripe keeps for a dispute, however it ends. */
export const DISPUTE_FEES = 'dispute_fees';
/** A tutor's share of what banks have taken for disputes that are not decided. */
export const tutorFrozen = (tutorId: string) => `tutor_frozen:${tutorId}`;

/** What kind of account it is, and whose; null: the platform has one. @throws Error for what is no account: a defect of the caller */
export function accountOf(account: string): { account: AccountKind; ownerId: string | null } {
  const [name, ownerId = null] = account.split(':');
  const kind = ACCOUNT_KINDS.find((one) => one === name);
  if (!kind) throw new Error(`The ledger has no account ${name}`);
  return { account: kind, ownerId };
}

/** An account's name. */
export function accountName({ account, ownerId }: { account: AccountKind; ownerId: string | null }): string {
  return ownerId === null ? account : `${account}:${ownerId}`;
}

/** What is left of one payment in each of its accounts, as positive amounts (balances of credit accounts). */
export interface Shares {
  pending: number;
  payable: number;
  revenue: number;
}

/** Money arrives: the platform keeps `fee` of it, the rest becomes the tutor's pending earnings. */
export function captureEntries(captured: number, fee: number, tutorId: string): Entry[] {
  return moving([
    { account: STRIPE_BALANCE, amount: captured },
    { account: tutorPending(tutorId), amount: fee - captured },
    { account: PLATFORM_REVENUE, amount: -fee },
  ]);
}

/** Stripe's own fee on a charge or refund; negative when Stripe gives one back. */
export function stripeFeeEntries(fee: number): Entry[] {
  return moving([
    { account: STRIPE_FEES, amount: fee },
    { account: STRIPE_BALANCE, amount: -fee },
  ]);
}

/** A payment as its shares are reckoned: `captured` and `fee` are its own, whatever has come back of it. */
export interface Shared {
  id: string;
  currency: string;
  captured: number;
  fee: number;
  tutorId: string;
}

/**
 * What platform and tutor each give up of an amount. After it the platform keeps of what is left the share it had of the whole, rounded half
 * up; so amounts in any split end exactly at zero, whatever was rounded on the way. The tutor's part is taken from pending earnings first,
 * then from payable ones. `shares` is what is left of the payment now; `amount` is at most their sum.
 */
export function sharesOf(amount: number, payment: Shared, shares: Shares): Shares {
  const tutorLeft = shares.pending + shares.payable;
  const left = tutorLeft + shares.revenue - amount;
  const kept = scaleHalfUp({ amount: left, currency: payment.currency }, payment.fee, payment.captured);
  // What was rounded before, or waived in favour of the platform, must not push either side below zero.
  const least = Math.max(0, amount - tutorLeft);
  const most = Math.min(amount, shares.revenue);
  const revenue = Math.min(Math.max(shares.revenue - kept, least), most);
  const pending = Math.min(amount - revenue, shares.pending);
  return { revenue, pending, payable: amount - revenue - pending };
}

/** A refund is promised, platform and tutor each giving up their share of it: `amount` is at most what `shares` come to. */
export function owedEntries(amount: number, payment: Shared, shares: Shares): Entry[] {
  const from = sharesOf(amount, payment, shares);
  return moving([
    { account: PLATFORM_REVENUE, amount: from.revenue },
    { account: tutorPending(payment.tutorId), amount: from.pending },
    { account: tutorPayable(payment.tutorId), amount: from.payable },
    { account: payerOwed(payment.id), amount: -amount },
  ]);
}

/** Stripe has made a refund: what was owed is on its way to the payer. Negative: it came back, and is owed again. */
export function refundEntries(amount: number, paymentId: string): Entry[] {
  return moving([
    { account: payerOwed(paymentId), amount },
    { account: STRIPE_BALANCE, amount: -amount },
  ]);
}

/**
 * An operator has given up what was owed. It becomes the platform's, which paid it by other means or was let off: what the terms gave to
 * the payer is no tutor's.
 */
export function givenUpEntries(amount: number, paymentId: string): Entry[] {
  return moving([
    { account: payerOwed(paymentId), amount },
    { account: PLATFORM_REVENUE, amount: -amount },
  ]);
}

/** The session took place: what is left of the tutor's pending earnings becomes payable. */
export function releaseEntries(pending: number, tutorId: string): Entry[] {
  return moving([
    { account: tutorPending(tutorId), amount: pending },
    { account: tutorPayable(tutorId), amount: -pending },
  ]);
}

/** A payout is opened: what was payable is on its way. Negative: it came to nothing, and is payable again. */
export function payoutEntries(amount: number, payoutId: string, payeeId: string): Entry[] {
  return moving([
    { account: tutorPayable(payeeId), amount },
    { account: payoutInTransit(payoutId), amount: -amount },
  ]);
}

/** A payout's money has gone to its payee's account at Stripe. Negative: the transfer was reversed. */
export function transferEntries(amount: number, payoutId: string): Entry[] {
  return moving([
    { account: payoutInTransit(payoutId), amount },
    { account: STRIPE_BALANCE, amount: -amount },
  ]);
}

/** A payout's money has been settled by other means than its transfer: the platform has it at Stripe still, and earns it. Negative: the platform makes up for it. */
export function payoutByHandEntries(amount: number, payoutId: string): Entry[] {
  return moving([
    { account: payoutInTransit(payoutId), amount },
    { account: PLATFORM_REVENUE, amount: -amount },
  ]);
}

/** A payee's debt has been settled by other means than their earnings: nobody owes it any more, and the platform has not got it. */
export function debtByHandEntries(amount: number, payeeId: string): Entry[] {
  return moving([
    { account: PLATFORM_REVENUE, amount },
    { account: tutorPayable(payeeId), amount: -amount },
  ]);
}

/** A line of Stripe's books about a dispute: `amount` below zero is taken by the bank, above it has come back. Stripe keeps its fee. */
export function disputeEntries(amount: number, fee: number): Entry[] {
  return moving([
    { account: STRIPE_BALANCE, amount: amount - fee },
    { account: DISPUTED, amount: -amount },
    { account: DISPUTE_FEES, amount: fee },
  ]);
}

/** Money that Stripe took twice for one payment: nobody's until it is sent back, so it is parked with the platform. */
export function strayEntries(amount: number): Entry[] {
  return moving([
    { account: STRIPE_BALANCE, amount },
    { account: PLATFORM_REVENUE, amount: -amount },
  ]);
}

/** Entries without those that move nothing. */
export function moving(entries: Entry[]): Entry[] {
  return entries.filter(({ amount }) => amount !== 0);
}
