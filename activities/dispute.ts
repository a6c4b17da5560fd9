import { inUnits, type Money } from '../kernel/money';
import { type DisputeStatus, isInquiry } from '../kernel/statuses';
import { createBookingClient } from '../services/booking/client';
import { createNotificationClient } from '../services/notification/client';
import { createPaymentClient } from '../services/payment/client';
import type { DisputeState, DisputesFound, FindDisputes } from '../services/payment/contract';
import type { Clients } from './clients';
import { evidenceOf } from './dispute-evidence';
import { createNotices } from './notices';
import type { Step } from './step';

/** What a workflow may know of a dispute: ids, states, times and money. */
export interface DisputeSummary {
  version: number;
  status: DisputeStatus;
  /** What is claimed, in whole units: `45.00 EUR`. */
  claim: string;
  amount: Money;
  /** Until when the bank takes evidence, ISO 8601; null: it takes none. */
  respondBy: string | null;
  /** When evidence is sent, ISO 8601: until then its payee can say something. null: none is sent any more. */
  submitBy: string | null;
  /** Its payee has said something. */
  stated: boolean;
  /** Evidence was sent. */
  submitted: boolean;
  /** The bank has spoken, for now. */
  decided: boolean;
}

/** What a payee is told of a dispute: that it is there, that they have said nothing yet, what the bank has decided. */
export type DisputeNews = 'opened' | 'reminder' | 'decided';

export type DisputeActivities = ReturnType<typeof createDisputeActivities>;

type About = { disputeId: string };
/** Which payment it is of, and who was paid by it. */
type Concerns = About & { paymentId: string; bookingId: string | null; payeeId: string };

/** The steps of the dispute saga, and of the Schedule that finds disputes. Nothing takes them back. */
export function createDisputeActivities(clients: Clients) {
  const { clientOf } = clients;
  const payment = clientOf('payment', createPaymentClient);
  const booking = clientOf('booking', createBookingClient);
  const notification = clientOf('notification', createNotificationClient);
  const notices = createNotices(clients);

  const summary = (state: DisputeState): DisputeSummary => {
    const { version, status, amount, respondBy, submitBy, stated, submitted, decided } = state;
    const claim = `${inUnits(amount)} ${amount.currency}`;
    return { version, status, claim, amount, respondBy, submitBy, stated, submitted, decided };
  };

  return {
    /** Asks Stripe what has become of it. */
    async lookAtDispute({ disputeId }: About): Promise<DisputeSummary> {
      return summary(await payment.lookAtDispute(disputeId));
    },

    /**
     * Gathers what the platform knows of the session that speaks against it, in place of what was gathered before. What people typed passes
     * through here to payment and is never returned.
     */
    async gatherEvidence(input: Step<About & { paymentId: string; bookingId: string }>): Promise<void> {
      const { disputeId, paymentId, bookingId, key } = input;
      const [session, { items: history, terms }, told, paid] = await Promise.all([
        booking.readForNotices(bookingId),
        booking.readTimeline(bookingId),
        notification.noticesOfBooking(bookingId),
        payment.getPayment(paymentId),
      ]);
      const evidence = evidenceOf({ session, history, terms, notices: told.items, paid: paid.captured });
      await payment.gatherEvidence(disputeId, evidence, key);
    },

    /** Sends what there is to the bank, which takes it once; with nothing to say nothing is sent. @throws ProblemError invalid_state when Stripe refuses */
    async submitEvidence({ disputeId, key }: Step<About>): Promise<void> {
      await payment.submitEvidence(disputeId, key);
    },

    /** Notes that its end, as it was in `version`, has been seen to. Returned is its state, which may be another by then. */
    async closeDispute({ disputeId, version, key }: Step<About & { version: number }>): Promise<DisputeSummary> {
      return summary(await payment.closeDispute(disputeId, version, key));
    },

    /** Tells its payee how it stood in `state`; notification delivers it. */
    async notifyDispute(input: Step<Concerns & { news: DisputeNews; state: DisputeSummary }>): Promise<void> {
      const { disputeId, paymentId, bookingId, payeeId, news, state, key } = input;
      const { status, amount, submitBy } = state;
      const inquiry = isInquiry(status);
      const session = bookingId === null ? null : await booking.readForNotices(bookingId);
      const about = {
        ...{ disputeId, paymentId, bookingId, amount },
        session: session && { subject: session.subject, startsAt: session.scheduledAt },
      };
      const to = { recipientId: payeeId, usefulUntil: null };
      if (news === 'decided') {
        const data = { ...about, outcome: outcomeOf(status) };
        await notices.record({ template: 'dispute_decided', ...to, data }, key);
      } else if (news === 'opened') {
        const data = { ...about, inquiry, sayBy: submitBy };
        await notices.record({ template: 'dispute_opened', ...to, data }, key);
      } else if (submitBy !== null) {
        const data = { ...about, inquiry, sayBy: submitBy };
        await notices.record({ template: 'dispute_reminder', ...to, usefulUntil: submitBy, data }, key);
      }
    },

    /** Finds disputes of which no webhook told, a page at a time. @returns `next`: the dispute with which the page ended; null after the last */
    findDisputes: (page: FindDisputes): Promise<DisputesFound> => payment.findDisputes(page),
  };
}

/** What a bank's decision is to a payee. An inquiry that came to nothing has moved no money. */
function outcomeOf(status: DisputeStatus): 'won' | 'lost' | 'closed' {
  return status === 'won' || status === 'lost' ? status : 'closed';
}
