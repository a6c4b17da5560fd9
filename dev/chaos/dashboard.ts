import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { cameBack, type SandboxState, sandboxState } from './stripe-state';

/** What somebody does by hand in Stripe's dashboard. Each is pursued until it is known what came of it. */
export interface Dashboard {
  /**
   * Gives back a part of what was paid for a booking. `losesWebhooks`: what Stripe has to say of it never arrives.
   * @returns how much was given back: all of `amount`, or nothing where less is left
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

const ANSWER_WITHIN_MS = 15_000;
const AGAIN_AFTER_MS = 500;
/** What the platform hears of a refund. */
const EVENTS_OF_A_REFUND = ['refund.created', 'charge.refunded'];
/** Stripe's own words for a refund for which too little is left. */
const TOO_LITTLE_LEFT = /already been refunded|greater than unrefunded amount/;

type Answer = { status: number; text: string };
type AtStripe = { key?: string; account?: string };

/** The dashboard of the sandbox at `url`, which may be down, or answer with faults, at any moment. */
export function createDashboard(url: string): Dashboard {
  const made: string[] = [];

  /** Undefined when there was no answer. */
  async function ask(method: 'GET' | 'POST', path: string, body?: string, headers = {}): Promise<Answer | undefined> {
    try {
      const signal = AbortSignal.timeout(ANSWER_WITHIN_MS);
      const reply = await request(`${url}${path}`, { method, signal, headers, ...(body !== undefined && { body }) });
      return { status: reply.statusCode, text: await reply.body.text() };
    } catch {
      return undefined;
    }
  }

  /** `account`: the connected account in whose name. */
  const atStripe = (path: string, form: Record<string, string>, { key, account }: AtStripe = {}) =>
    ask('POST', path, new URLSearchParams(form).toString(), {
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

  /** Asks until the controls, which no fault spoils, have answered. */
  async function control(method: 'GET' | 'POST', path: string, body?: unknown): Promise<{ body: unknown }> {
    for (;;) {
      const json = body === undefined ? undefined : JSON.stringify(body);
      const answer = await ask(method, path, json, json === undefined ? {} : { 'content-type': 'application/json' });
      if (answer && answer.status < 300) return { body: JSON.parse(answer.text) };
      await sleep(AGAIN_AFTER_MS);
    }
  }

  const state = () => sandboxState({ sandbox: (_, path) => control('GET', path) });

  async function intentOf(bookingId: string): Promise<SandboxState['payment_intents'][number] | undefined> {
    const { payment_intents: intents } = await state();
    return intents.find(({ metadata }) => metadata.bookingId === bookingId && metadata.inert === undefined);
  }

  return {
    async refund(bookingId, amount, losesWebhooks) {
      const intent = await intentOf(bookingId);
      if (!intent) return 0;
      if (losesWebhooks)
        for (const type of EVENTS_OF_A_REFUND)
          await control('POST', '/sandbox/faults', { kind: 'webhook_lose', match: { type } });
      // By this mark it is found whatever became of the answer.
      const mark = randomUUID();
      const form = { payment_intent: intent.id, amount: String(amount), 'metadata[mark]': mark };
      for (let key = randomUUID(); ; ) {
        const answer = await atStripe('/v1/refunds', form, { key });
        const refund = (await state()).refunds.find(({ metadata }) => metadata?.mark === mark);
        if (refund) {
          made.push(refund.id);
          return amount;
        }
        if (answer?.status === 400 && TOO_LITTLE_LEFT.test(answer.text)) return 0;
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
      const { accounts, connected_payouts: payouts } = await state();
      for (const [account, all] of Object.entries(payouts))
        for (const payout of all) if (cameBack(payout)) await announce(`/v1/payouts/${payout.id}`, account);
      for (const { id, details_submitted: isTold } of accounts) if (isTold) await announce(`/v1/accounts/${id}`);
    },
  };
}
