import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { openSandboxLine } from './sandbox-line';
import { cameBack, type SandboxState } from './stripe-state';

/** What somebody does by hand in Stripe's dashboard. Each is pursued until it is known what came of it. */
export interface Dashboard {
  /**
   * Gives back a part of what was paid for a booking. `losesWebhooks`: what Stripe has to say of it never arrives.
   * @returns how much was given back: all of `amount`, or nothing where less is left, or it was charged back
   */
  refund(bookingId: string, amount: number, losesWebhooks: boolean): Promise<number>;
  /** Cancels the authorisation of a booking. False when there is none. */
  cancelAuthorisation(bookingId: string): Promise<boolean>;
  /**
   * Has Stripe tell once more, as of an event that is resent, of all refunds that were made here, of payouts that came back from their bank,
   * and of accounts of which somebody has told it more.
   */
  announceAgain(): Promise<void>;
}

const AGAIN_AFTER_MS = 500;
/** What the platform hears of a refund. */
const EVENTS_OF_A_REFUND = ['refund.created', 'charge.refunded'];
/** Stripe's own words for a refund for which too little is left, and of a charge of which a bank has taken the money. */
const CANNOT_BE_REFUNDED = /already been refunded|greater than unrefunded amount|has been charged back/;

type AtStripe = { key?: string; account?: string };

/** The dashboard of the sandbox at `url`, which may be down, or answer with faults, at any moment. */
export function createDashboard(url: string): Dashboard {
  const made: string[] = [];
  const line = openSandboxLine(url);

  /** `account`: the connected account in whose name. */
  const atStripe = (path: string, form: Record<string, string>, { key, account }: AtStripe = {}) =>
    line.ask('POST', path, new URLSearchParams(form).toString(), {
      authorization: 'Bearer sk_test_sandbox',
      'content-type': 'application/x-www-form-urlencoded',
      ...(key && { 'idempotency-key': key }),
      ...(account && { 'stripe-account': account }),
    });

  /** Any change of an object is told, that of a note on it too. */
  async function announce(path: string, account?: string): Promise<void> {
    const form = { 'metadata[announced]': randomUUID() };
    const as = account === undefined ? {} : { account };
    while ((await atStripe(path, form, as))?.status !== 200) await sleep(AGAIN_AFTER_MS);
  }

  async function intentOf(bookingId: string): Promise<SandboxState['payment_intents'][number] | undefined> {
    const { payment_intents: intents } = await line.state();
    return intents.find(({ metadata }) => metadata.bookingId === bookingId && metadata.inert === undefined);
  }

  return {
    async refund(bookingId, amount, losesWebhooks) {
      const intent = await intentOf(bookingId);
      if (!intent) return 0;
      if (losesWebhooks)
        for (const type of EVENTS_OF_A_REFUND)
          await line.control('POST', '/sandbox/faults', { kind: 'webhook_lose', match: { type } });
      // By this mark it is found whatever became of the answer.
      const mark = randomUUID();
      const form = { payment_intent: intent.id, amount: String(amount), 'metadata[mark]': mark };
      for (let key = randomUUID(); ; ) {
        const answer = await atStripe('/v1/refunds', form, { key });
        const refund = (await line.state()).refunds.find(({ metadata }) => metadata?.mark === mark);
        if (refund) {
          made.push(refund.id);
          return amount;
        }
        if (answer?.status === 400 && CANNOT_BE_REFUNDED.test(answer.text)) return 0;
        // Stripe answers a key of its own failure alike for ever: nothing has come of that one.
        if (answer && answer.status !== 409) key = randomUUID();
        await sleep(AGAIN_AFTER_MS);
      }
    },

    async cancelAuthorisation(bookingId) {
      for (;;) {
        const intent = await intentOf(bookingId);
        if (intent?.status === 'canceled') return true;
        if (intent?.status !== 'requires_capture') return false;
        await atStripe(`/v1/payment_intents/${intent.id}/cancel`, {});
        await sleep(AGAIN_AFTER_MS);
      }
    },

    async announceAgain() {
      for (const id of made) await announce(`/v1/refunds/${id}`);
      const { accounts, connected_payouts: payouts } = await line.state();
      for (const [account, all] of Object.entries(payouts))
        for (const payout of all) if (cameBack(payout)) await announce(`/v1/payouts/${payout.id}`, account);
      for (const { id, details_submitted: isTold } of accounts) if (isTold) await announce(`/v1/accounts/${id}`);
    },
  };
}
