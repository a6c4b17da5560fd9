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

/**
 * Money goes back, platform and tutor each giving up their share of it. After the refund the platform keeps of what is left
 * the share it had of the whole, rounded half up; so refunds in any split end exactly at zero, whatever was rounded on
 * the way. The tutor's part is taken from pending earnings first, then from payable ones.
 * `captured` and `fee` are those of the payment, `shares` what is left of them now; `amount` is at most their sum.
 */
export function refundEntries(
  amount: number,
  payment: { captured: number; fee: number; tutorId: string },
  shares: Shares,
): Entry[] {
  const tutorLeft = shares.pending + shares.payable;
  const left = tutorLeft + shares.revenue - amount;
  const kept = scaleHalfUp(left, payment.fee, payment.captured);
  // Rounding that a failed refund left behind must not push either side below zero.
  const least = Math.max(0, amount - tutorLeft);
  const most = Math.min(amount, shares.revenue);
  const fromRevenue = Math.min(Math.max(shares.revenue - kept, least), most);
  const fromTutor = amount - fromRevenue;
  const fromPending = Math.min(fromTutor, shares.pending);
  return moving([
    { account: PLATFORM_REVENUE, amount: fromRevenue },
    { account: tutorPending(payment.tutorId), amount: fromPending },
    { account: tutorPayable(payment.tutorId), amount: fromTutor - fromPending },
    { account: STRIPE_BALANCE, amount: -amount },
  ]);
}

/**
 * A refund came back: the opposite of its own entries. Once the payment's earnings were `released`, what was taken from
 * pending comes back as payable, since nothing would release it any more.
 */
export function reversalEntries(refund: readonly Entry[], tutorId: string, released: boolean): Entry[] {
  const pending = tutorPending(tutorId);
  return combined(
    refund.map(({ account, amount }) => ({
      account: released && account === pending ? tutorPayable(tutorId) : account,
      amount: -amount,
    })),
  );
}

/** The session took place: what is left of the tutor's pending earnings becomes payable. */
export function releaseEntries(pending: number, tutorId: string): Entry[] {
  return moving([
    { account: tutorPending(tutorId), amount: pending },
    { account: tutorPayable(tutorId), amount: -pending },
  ]);
}

/** Money that Stripe took twice for one payment: nobody's until it is sent back, so it is parked with the platform. */
export function strayEntries(amount: number): Entry[] {
  return moving([
    { account: STRIPE_BALANCE, amount },
    { account: PLATFORM_REVENUE, amount: -amount },
  ]);
}

function moving(entries: Entry[]): Entry[] {
  return entries.filter(({ amount }) => amount !== 0);
}

function combined(entries: Entry[]): Entry[] {
  const sums = new Map<string, number>();
  for (const { account, amount } of entries) sums.set(account, (sums.get(account) ?? 0) + amount);
  return moving([...sums].map(([account, amount]) => ({ account, amount })));
}
