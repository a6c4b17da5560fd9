import { ProblemError } from '../kernel/errors';
import { inTurn } from '../platform/in-turn';
import type { Swept } from '../platform/schemas';
import { createBookingClient } from '../services/booking/client';
import { createIdentityClient } from '../services/identity/client';
import type { InternalUser } from '../services/identity/contract';
import { createEmailChangeClient } from '../services/identity/email-change/client';
import { createPaymentClient } from '../services/payment/client';
import type { EarningsSwept, NamedPerson, PayoutsSwept } from '../services/payment/contract';
import { createTutoringClient } from '../services/tutoring/client';
import type { Clients } from './clients';
import { createNotices } from './notices';

/** Counts alone: a history names nobody. */
interface ReceiptsSwept {
  issued: number;
  creditNotes: number;
  /** Payments whose receipt waits for the next sweep. */
  left: number;
}

export type SweepActivities = ReturnType<typeof createSweepActivities>;

/** What the sweep asks of each context that starts sagas. Without keys: each is harmless twice, and finds other things every time. */
export function createSweepActivities(clients: Clients) {
  const { clientOf } = clients;
  const booking = clientOf('booking', createBookingClient);
  const identity = clientOf('identity', createIdentityClient);
  const emailChanges = clientOf('identity', createEmailChangeClient);
  const notices = createNotices(clients);
  const payment = clientOf('payment', createPaymentClient);
  const tutoring = clientOf('tutoring', createTutoringClient);

  /** A user; null when they are none any more. */
  async function userOrNone(id: string): Promise<InternalUser | null> {
    try {
      return await identity.getUser(id);
    } catch (error) {
      if (error instanceof ProblemError && error.code === 'not_found') return null;
      throw error;
    }
  }

  return {
    sweepBookings: (): Promise<Swept> => booking.sweepRequests(),

    sweepPayments: (): Promise<Swept> => payment.sweepPayments(),

    /** Makes payable what tutors have earned and may be paid by now. */
    sweepEarnings: (): Promise<EarningsSwept> => payment.sweepEarnings(),

    /** Asks Stripe about payouts that no saga watches any more. */
    sweepPayouts: (): Promise<PayoutsSwept> => payment.sweepPayouts(),

    /**
     * Has receipts issued to the people of each payment, then credit notes. Payment knows no names, so they pass through here, and through
     * nothing that a history keeps. Someone who is gone holds up nobody.
     */
    async sweepReceipts(): Promise<ReceiptsSwept> {
      let issued = 0;
      const { items } = await payment.dueReceipts();
      const { left, failures } = await inTurn(items, async ({ paymentId, payerId, payeeId }) => {
        const [payer, payee] = await Promise.all([userOrNone(payerId), userOrNone(payeeId)]);
        const body = { payer: named(payer), payee: named(payee), locale: payer?.locale ?? null };
        if ((await payment.issueReceipt(paymentId, body)).issued) issued += 1;
      });
      const { issued: creditNotes } = await payment.issueCreditNotes();
      if (failures.length > 0) throw failures[0];
      return { issued, creditNotes, left };
    },

    sweepSignUps: (): Promise<Swept> => identity.sweepSignUps(),

    sweepTutorAccounts: (): Promise<Swept> => identity.sweepTutorAccounts(),

    sweepSuspensions: (): Promise<Swept> => identity.sweepSuspensions(),

    sweepAccountMails: (): Promise<Swept> => identity.sweepAccountMails(),

    /** Starts changes of address that wait for it, and tells others what they have not heard. */
    sweepEmailChanges: (): Promise<Swept> => emailChanges.sweep(),

    /** Has each tutor written to whose stored prices cannot be charged and who is not listed therefore. Notification delivers it. */
    async sweepPrices(): Promise<Swept> {
      const { unlisted, untold } = await tutoring.sweepPrices();
      const told = await Promise.allSettled(
        untold.map(async ({ tutorId, refusedAt, price, because }) => {
          await notices.record(
            {
              template: 'prices_refused_tutor',
              recipientId: tutorId,
              usefulUntil: null,
              data: { refusedPrice: price, because },
            },
            `tutor:${tutorId}/prices-refused/${refusedAt}`,
          );
          await tutoring.markPricesTold(tutorId, { refusedAt });
        }),
      );
      // Those that could be told are, whatever became of the others, who are found again.
      const failed = told.find((each) => each.status === 'rejected');
      if (failed) throw failed.reason;
      return { found: untold.length, started: 0, refused: unlisted };
    },
  };
}

/** As a receipt names a person. */
function named(user: InternalUser | null): NamedPerson | null {
  return (
    user && { name: `${user.firstName} ${user.lastName}`, emailName: user.email.slice(0, user.email.lastIndexOf('@')) }
  );
}
