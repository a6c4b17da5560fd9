import type { Money } from '../../../kernel/money';
import type { DebtStatus } from '../../../kernel/statuses';
import { DAY } from '../../../kernel/time';
import type { DebtState } from '../contract';
import { payoutMinimum } from '../payouts/rules';

/** So long a debt waits for its payee's next earnings: most who teach on have paid it by then. */
const WAITS_FOR_MS = 90 * DAY;
/** What earnings alone will hardly pay: so many times what a payout has to be at least, which is 200.00 in EUR. */
const PAYOUTS_OF_LEAST = 20;
const AS_NOTHING_IS_SET: ReadonlyMap<string, number> = new Map();

/** What a payee is below zero by in one currency. */
export interface BelowZero extends Money {
  payeeId: string;
  since: Date;
  /** How long ago that was, in milliseconds by the database's clock. */
  ageMs: number;
}

/** Whether a debt is an operator's: the others are netted from what is earned next, and nobody is asked. */
export function isForOperator({ amount, currency, ageMs }: Pick<BelowZero, 'amount' | 'currency' | 'ageMs'>): boolean {
  return ageMs >= WAITS_FOR_MS || amount >= PAYOUTS_OF_LEAST * payoutMinimum(currency, AS_NOTHING_IS_SET);
}

/** What is told of a debt; a row of the store fits. */
interface DebtFacts {
  id: string;
  payeeId: string;
  currency: string;
  status: DebtStatus;
  since: Date;
}

/** A debt as its saga sees it. `amount`: what is left of it in minor units, which is nothing once it is closed. */
export function debtStateOf({ id, payeeId, currency, status, since }: DebtFacts, amount: number): DebtState {
  return { debtId: id, payeeId, status, left: { amount, currency }, since: since.toISOString() };
}
