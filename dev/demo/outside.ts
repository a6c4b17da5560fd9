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

/** What was moved to one tutor in a currency, as Stripe has it. In minor units. */
export interface MovedAtStripe {
  transferred: number;
  reversed: number;
  /** By how much less the platform has for it. */
  platformGave: number;
  /** What is at the tutor's account at Stripe. */
  atAccount: number;
  /** What their bank has. */
  atBank: number;
}

/** What the disputes of one payment came to, as Stripe has it. In minor units. */
export interface DisputedAtStripe {
  /** What the bank of the card's holder took. */
  taken: number;
  givenBack: number;
  /** Stripe's, whoever wins. */
  fee: number;
}

/** The Stripe sandbox, from outside the platform. */
export interface StripeView {
  moneyOf(bookingId: string): Promise<MoneyAtStripe>;
  movedTo(tutorId: string, currency: string): Promise<MovedAtStripe>;
  /** The holder of the card disputes all of a payment, and their bank takes it back at once. */
  dispute(paymentId: string, reason: 'fraudulent' | 'product_not_received'): Promise<void>;
  disputedOf(paymentId: string): Promise<DisputedAtStripe>;
  /** What was said to the bank against the disputes of a payment, by Stripe's name for it. */
  evidenceOf(paymentId: string): Promise<Record<string, string>>;
  /** What the platform's balance has of a payment, with its refunds, disputes and fees. In minor units. */
  balanceOf(paymentId: string): Promise<number>;
  /** Bookings that have a charge that took money. */
  chargedBookings(): Promise<Set<string>>;
  /** The next PaymentIntent takes effect at once and is answered this much later. */
  answerNextChargeLate(ms: number): Promise<void>;
  /** Ends every fault. */
  calm(): Promise<void>;
}

export interface MailView {
  /**
   * Waits until a mail has arrived whose subject says so, and whose text says each of these.
   * @returns the whole subject; undefined when no mail came in time
   */
  arrived(to: string, subjectSays: string, textSays: readonly string[]): Promise<string | undefined>;
}

const intentSchema = z.looseObject({ id: z.string(), metadata: z.record(z.string(), z.string()) });
const chargeSchema = z.looseObject({
  payment_intent: z.string().nullish(),
  status: z.string(),
  amount_captured: z.number(),
  amount_refunded: z.number(),
});
const stateSchema = z.looseObject({ payment_intents: z.array(intentSchema), charges: z.array(chargeSchema) });

const transferSchema = z.looseObject({
  id: z.string(),
  amount: z.number(),
  currency: z.string(),
  destination: z.string(),
  balance_transaction: z.string(),
});
const movedSchema = z.looseObject({
  accounts: z.array(z.looseObject({ id: z.string(), metadata: z.record(z.string(), z.string()).optional() })),
  transfers: z.array(transferSchema),
  transfer_reversals: z.array(
    transferSchema.pick({ amount: true, balance_transaction: true }).extend({ transfer: z.string() }),
  ),
  balance_transactions: z.array(z.looseObject({ id: z.string(), net: z.number() })),
  connected_totals: z.record(
    z.string(),
    z.record(z.string(), z.looseObject({ balance: z.number(), paidOut: z.number() })),
  ),
});

const bookedSchema = z.looseObject({ source: z.string(), amount: z.number(), fee: z.number(), net: z.number() });
const disputedSchema = z.looseObject({
  payment_intents: z.array(intentSchema),
  charges: z.array(
    z.looseObject({ id: z.string(), payment_intent: z.string().nullish(), amount_captured: z.number() }),
  ),
  refunds: z.array(z.looseObject({ id: z.string(), payment_intent: z.string().nullish() })),
  disputes: z.array(
    z.looseObject({
      id: z.string(),
      payment_intent: z.string().nullish(),
      evidence: z.record(z.string(), z.unknown()),
      balance_transactions: z.array(bookedSchema),
    }),
  ),
  balance_transactions: z.array(bookedSchema),
});

const sumOf = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);

export function stripeView(sandboxUrl: string): StripeView {
  const state = async () => stateSchema.parse(await json(`${sandboxUrl}/sandbox/state`));
  return {
    async moneyOf(bookingId) {
      const { payment_intents, charges } = await state();
      const ids = new Set(
        payment_intents.filter(({ metadata }) => metadata.bookingId === bookingId).map(({ id }) => id),
      );
      const took = charges.filter((charge) => charge.status === 'succeeded' && ids.has(charge.payment_intent ?? ''));
      return {
        intents: ids.size,
        charges: took.length,
        captured: sumOf(took.map((charge) => charge.amount_captured)),
        refunded: sumOf(took.map((charge) => charge.amount_refunded)),
      };
    },
    async movedTo(tutorId, currency) {
      const now = movedSchema.parse(await json(`${sandboxUrl}/sandbox/state`));
      const code = currency.toLowerCase();
      const account = now.accounts.find(({ metadata }) => metadata?.userId === tutorId)?.id ?? '';
      const transfers = now.transfers.filter((made) => made.destination === account && made.currency === code);
      const ids = new Set(transfers.map(({ id }) => id));
      const reversals = now.transfer_reversals.filter(({ transfer }) => ids.has(transfer));
      const booked = new Set([...transfers, ...reversals].map((made) => made.balance_transaction));
      const atStripe = now.connected_totals[account]?.[code];
      return {
        transferred: sumOf(transfers.map(({ amount }) => amount)),
        reversed: sumOf(reversals.map(({ amount }) => amount)),
        platformGave: 0 - sumOf(now.balance_transactions.filter(({ id }) => booked.has(id)).map(({ net }) => net)),
        atAccount: atStripe?.balance ?? 0,
        atBank: atStripe?.paidOut ?? 0,
      };
    },
    async dispute(paymentId, reason) {
      const { charges } = await paymentAt(sandboxUrl, paymentId);
      const charge = charges.find(({ amount_captured: captured }) => captured > 0)?.id;
      await json(`${sandboxUrl}/sandbox/disputes`, { charge, reason });
    },
    async disputedOf(paymentId) {
      const { disputes } = await paymentAt(sandboxUrl, paymentId);
      const booked = disputes.flatMap((dispute) => dispute.balance_transactions);
      const amounts = booked.map(({ amount }) => amount);
      return {
        taken: 0 - sumOf(amounts.filter((amount) => amount < 0)),
        givenBack: sumOf(amounts.filter((amount) => amount > 0)),
        fee: sumOf(booked.map(({ fee }) => fee)),
      };
    },
    async evidenceOf(paymentId) {
      const { disputes } = await paymentAt(sandboxUrl, paymentId);
      const fields = disputes.flatMap(({ evidence }) => Object.entries(evidence));
      return Object.fromEntries(
        fields.flatMap(([name, said]): [string, string][] => (typeof said === 'string' && said ? [[name, said]] : [])),
      );
    },
    async balanceOf(paymentId) {
      const { booked } = await paymentAt(sandboxUrl, paymentId);
      return sumOf(booked.map(({ net }) => net));
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

/** What Stripe has of a payment. `booked`: its lines in Stripe's books. */
async function paymentAt(sandboxUrl: string, paymentId: string) {
  const now = disputedSchema.parse(await json(`${sandboxUrl}/sandbox/state`));
  const intents = new Set(
    now.payment_intents.filter(({ metadata }) => metadata.paymentId === paymentId).map(({ id }) => id),
  );
  const ofPayment = ({ payment_intent: intent }: { payment_intent?: string | null | undefined }) =>
    intents.has(intent ?? '');
  const [charges, disputes] = [now.charges.filter(ofPayment), now.disputes.filter(ofPayment)];
  const sources = new Set([...charges, ...disputes, ...now.refunds.filter(ofPayment)].map(({ id }) => id));
  return { charges, disputes, booked: now.balance_transactions.filter(({ source }) => sources.has(source)) };
}

const mailsSchema = z.array(
  z.looseObject({ subject: z.string(), text: z.string(), to: z.array(z.looseObject({ address: z.string() })) }),
);
const MAIL_WITHIN_MS = 30_000;

export function mailView(inboxUrl: string): MailView {
  return {
    async arrived(to, subjectSays, textSays) {
      const deadline = performance.now() + MAIL_WITHIN_MS;
      for (;;) {
        const mails = mailsSchema.parse(await json(`${inboxUrl}/email`));
        const found = mails.find(
          ({ subject, text, to: recipients }) =>
            subject.includes(subjectSays) &&
            textSays.every((words) => text.replaceAll(/\s+/g, ' ').includes(words)) &&
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
