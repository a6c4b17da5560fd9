import type { PayoutReason, PayoutStatus } from '../kernel/statuses';
import { createBookingClient } from '../services/booking/client';
import { createPaymentClient } from '../services/payment/client';
import type { PayoutDetails, PayoutState, SettledByHand, WeekOpened } from '../services/payment/contract';
import type { Clients } from './clients';
import { createNotices } from './notices';
import type { Step, Undo } from './step';

/** What a workflow may know of a payout: ids, state and version. */
export interface PayoutSummary {
  status: PayoutStatus;
  reason: PayoutReason | null;
  version: number;
  /** Its money is, or was, at the payee's account at Stripe. */
  transferred: boolean;
  /** Stripe has taken the order to send it to the bank. */
  sent: boolean;
  expectedAt: string | null;
  arrivedAt: string | null;
  /** Nothing more is to be done: its amount is payable again, or an operator has settled it. */
  closed: boolean;
}

/** A page of the week's payouts. `week`: of ISO 8601; `after`: the payee with whom the page before ended. */
export interface WeekPage {
  week: string;
  after: string | null;
}

export type PayoutActivities = ReturnType<typeof createPayoutActivities>;

type About = { payoutId: string };

/** What a payee is told of a payout: what it waits for, that it is at the bank, or what else has become of it. */
export type PayoutNews = 'awaiting_onboarding' | 'awaiting_bank_account' | 'completed' | 'over';

/** The steps of the payout saga: each `do` beside its undo. */
export function createPayoutActivities(clients: Clients) {
  const { clientOf } = clients;
  const payment = clientOf('payment', createPaymentClient);
  const booking = clientOf('booking', createBookingClient);
  const notices = createNotices(clients);

  const summary = ({ payoutId: _, payeeId: __, amount: ___, ...state }: PayoutState): PayoutSummary => state;

  /** What each session brought; who booked it stays out of the mail. */
  async function linesOf({ lines }: PayoutDetails) {
    return Promise.all(
      lines.map(async ({ bookingId, amount }) => {
        if (bookingId === null) return { subject: null, startsAt: null, amount };
        const { subject, scheduledAt } = await booking.readForNotices(bookingId);
        return { subject, startsAt: scheduledAt, amount };
      }),
    );
  }

  return {
    async startPayout({ payoutId, key }: Step<About>): Promise<PayoutSummary> {
      return summary(await payment.startPayout(payoutId, key));
    },

    /** Makes its amount payable again. `reason`: null for what it says already. */
    async cancelPayout({ payoutId, reason, key }: Undo<About & { reason: PayoutReason | null }>): Promise<void> {
      await payment.cancelPayout(payoutId, { reason }, key);
    },

    /** Asks Stripe what is between the payout and its payee: the summary's `reason`. */
    async checkPayout({ payoutId }: About): Promise<PayoutSummary> {
      return summary(await payment.checkPayout(payoutId));
    },

    /** Transfers the money to the payee's account at Stripe. A refusal is the summary's `reason`, not an error. */
    async transferPayout({ payoutId, key }: Step<About>): Promise<PayoutSummary> {
      return summary(await payment.transferPayout(payoutId, key));
    },

    /** Fetches it back, whatever Stripe says is true. @throws ProblemError transfer_not_reversed when Stripe refuses */
    async reverseTransfer({ payoutId, key }: Undo<About>): Promise<void> {
      await payment.reverseTransfer(payoutId, key);
    },

    /** Has it sent to the bank. A refusal is the summary's `reason`, not an error. */
    async sendPayout({ payoutId, key }: Step<About>): Promise<PayoutSummary> {
      return summary(await payment.sendPayout(payoutId, key));
    },

    async refreshPayout({ payoutId }: About): Promise<PayoutSummary> {
      return summary(await payment.refreshPayout(payoutId));
    },

    /** The bank has it not: fetches it back from the payee's account and makes it payable again. @throws ProblemError transfer_not_reversed */
    async returnPayout({ payoutId, key }: Step<About>): Promise<PayoutSummary> {
      return summary(await payment.returnPayout(payoutId, key));
    },

    /** An operator has settled it by hand. */
    async settlePayout({ payoutId, as, key }: Step<About & SettledByHand>): Promise<void> {
      await payment.settlePayoutByHand(payoutId, { as }, key);
    },

    /**
     * Tells the payee `news`, or nothing where that is so no more: what is so now is told by a notice of its own. A saga of before leaves
     * out which news; then it is whatever is so. Notification delivers it.
     */
    async notifyPayout({ payoutId, news, key }: Step<About & { news?: PayoutNews }>): Promise<void> {
      const details = await payment.getPayoutDetails(payoutId);
      const { payeeId, amount } = details.payout;
      const now = newsOf(details.payout);
      // What an operator has settled by hand may be over by being completed.
      const isSo = news === undefined || news === now || (news === 'over' && now === 'completed');
      if (now === undefined || !isSo) return;
      const to = { recipientId: payeeId, usefulUntil: null };
      const about = { payoutId, amount };
      if (now === 'completed') {
        const data = { ...about, lines: await linesOf(details), others: details.others };
        await notices.record({ template: 'payout_completed', ...to, data }, key);
      } else if (now === 'over') {
        const why = [details.text, details.failureText].filter(Boolean).join(' ');
        await notices.record({ template: 'payout_failed', ...to, data: { ...about, why } }, key);
      } else await notices.record({ template: 'payout_waits', ...to, data: { ...about, waitsFor: now } }, key);
    },

    /** Opens a page of the week's payouts, and starts their sagas. */
    openWeeklyPayouts: (page: WeekPage): Promise<WeekOpened> => payment.openWeeklyPayouts(page),
  };
}

/** What there is to tell of a payout now. */
function newsOf({ status, reason }: Pick<PayoutState, 'status' | 'reason'>): PayoutNews | undefined {
  if (status === 'completed') return 'completed';
  if (status === 'failed' || status === 'cancelled') return 'over';
  return reason === 'awaiting_onboarding' || reason === 'awaiting_bank_account' ? reason : undefined;
}
