import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { z } from 'zod';

/** What the money of one booking came to, as Stripe has it. */
export interface MoneyAtStripe {
  intents: number;
  /** Charges that took or hold money. */
  charges: number;
  captured: number;
  refunded: number;
}

/** The Stripe sandbox, from outside the platform. */
export interface StripeView {
  moneyOf(bookingId: string): Promise<MoneyAtStripe>;
  /** Bookings that have a charge that took money. */
  chargedBookings(): Promise<Set<string>>;
  /** The next PaymentIntent takes effect at once and is answered this much later. */
  answerNextChargeLate(ms: number): Promise<void>;
  /** Ends every fault. */
  calm(): Promise<void>;
}

export interface MailView {
  /**
   * Waits until a mail about the booking has arrived whose subject begins so.
   * @returns the whole subject; undefined when no mail came in time
   */
  arrived(to: string, subjectBegins: string, bookingId: string): Promise<string | undefined>;
}

const intentSchema = z.looseObject({ id: z.string(), metadata: z.record(z.string(), z.string()) });
const chargeSchema = z.looseObject({
  payment_intent: z.string().nullish(),
  status: z.string(),
  amount_captured: z.number(),
  amount_refunded: z.number(),
});
const stateSchema = z.looseObject({ payment_intents: z.array(intentSchema), charges: z.array(chargeSchema) });

export function stripeView(sandboxUrl: string): StripeView {
  const state = async () => stateSchema.parse(await json(`${sandboxUrl}/sandbox/state`));
  return {
    async moneyOf(bookingId) {
      const { payment_intents, charges } = await state();
      const ids = new Set(
        payment_intents.filter(({ metadata }) => metadata.bookingId === bookingId).map(({ id }) => id),
      );
      const took = charges.filter((charge) => charge.status === 'succeeded' && ids.has(charge.payment_intent ?? ''));
      const sum = (of: (charge: z.output<typeof chargeSchema>) => number) =>
        took.reduce((total, one) => total + of(one), 0);
      return {
        intents: ids.size,
        charges: took.length,
        captured: sum((charge) => charge.amount_captured),
        refunded: sum((charge) => charge.amount_refunded),
      };
    },
    async chargedBookings() {
      const { payment_intents, charges } = await state();
      const took = new Set(
        charges.filter((charge) => charge.amount_captured > 0).map((charge) => charge.payment_intent),
      );
      const bookings = payment_intents.filter(({ id }) => took.has(id)).map(({ metadata }) => metadata.bookingId ?? '');
      return new Set(bookings);
    },
    async answerNextChargeLate(ms) {
      const match = { method: 'POST', path: '/v1/payment_intents' };
      await json(`${sandboxUrl}/sandbox/faults`, { kind: 'hang', when: 'after', ms, match });
    },
    async calm() {
      await (await request(`${sandboxUrl}/sandbox/faults`, { method: 'DELETE' })).body.dump();
    },
  };
}

const mailsSchema = z.array(
  z.looseObject({ subject: z.string(), text: z.string(), to: z.array(z.looseObject({ address: z.string() })) }),
);
const MAIL_WITHIN_MS = 30_000;

export function mailView(inboxUrl: string): MailView {
  return {
    async arrived(to, subjectBegins, bookingId) {
      const deadline = performance.now() + MAIL_WITHIN_MS;
      for (;;) {
        const mails = mailsSchema.parse(await json(`${inboxUrl}/email`));
        const found = mails.find(
          ({ subject, text, to: recipients }) =>
            subject.startsWith(subjectBegins) &&
            text.includes(bookingId) &&
            recipients.some(({ address }) => address === to),
        );
        if (found || performance.now() > deadline) return found?.subject;
        await sleep(200);
      }
    },
  };
}

async function json(url: string, body?: unknown): Promise<unknown> {
  const response = await request(url, {
    method: body === undefined ? 'GET' : 'POST',
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  });
  const text = await response.body.text();
  if (response.statusCode >= 400) throw new Error(`${url} answered ${response.statusCode}: ${text}`);
  return JSON.parse(text);
}
