import { inUnits } from '../kernel/money';
import type { DebtStatus } from '../kernel/statuses';
import { createPaymentClient } from '../services/payment/client';
import type { DebtState, DebtsOpened, OpenDebts, SettleDebt } from '../services/payment/contract';
import type { Clients } from './clients';
import type { Step } from './step';

/** What a workflow may know of a debt. */
export interface DebtSummary {
  debtId: string;
  status: DebtStatus;
  /** What is left of it, in whole units: `255.00 EUR`. */
  left: string;
  /** ISO 8601. */
  since: string;
}

export type DebtActivities = ReturnType<typeof createDebtActivities>;

type About = { payeeId: string; currency: string };

/** The steps of the debt saga, and of the Schedule that opens debts. Nothing takes them back. */
export function createDebtActivities({ clientOf }: Clients) {
  const payment = clientOf('payment', createPaymentClient);

  const summary = ({ debtId, status, left, since }: DebtState): DebtSummary => ({
    ...{ debtId, status, left: `${inUnits(left)} ${left.currency}`, since },
  });

  return {
    /** The open debt of a payee, or their latest; closed if what they have earned since has paid it. */
    async lookAtDebt({ payeeId, currency }: About): Promise<DebtSummary> {
      return summary(await payment.lookAtDebt(payeeId, currency));
    },

    /** An operator has settled it by hand. */
    async settleDebt({ payeeId, currency, debtId, as, key }: Step<About & SettleDebt>): Promise<void> {
      await payment.settleDebt(payeeId, currency, { debtId, as }, key);
    },

    /** Opens the debts of a page of payees that an operator is to see. @returns `next`: the payee with whom the page ended; null after the last */
    async openDebts(page: OpenDebts): Promise<DebtsOpened> {
      return payment.openDebts(page);
    },
  };
}
