import { stepOf, stripeEntry, toStripe } from '../../kernel/currencies';
import { expectFolded } from '../../tests/support/folds';
import {
  type BookingCharge,
  chargeBooking,
  newBooking,
  type PaymentStack,
  retried,
  settleBooking,
  startPaymentStack,
  until,
} from '../../tests/support/payment';
import { foldedTables } from './folds/store';

// A long random story, the same at every run: charges, captures, refunds, shares, settlements, releases and what operators do cross each
// other while Stripe fails in every way it can and webhooks come and go. All the while each payment's books must be sound, and at its end
// they must agree with Stripe's to the cent. Every row is what its events say.

const SEED = 20_261_121;
const STEPS = 180;
/** Those that settle unless another is set, and one of each way in which Stripe counts amounts. */
const CURRENCIES = ['EUR', 'EUR', 'EUR', 'GBP', 'USD', 'JPY', 'KWD', 'ISK', 'MGA'];
const AT_ONCE = 4;

/** mulberry32: small, seeded, good enough to choose by. */
function randomness(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number) => Math.floor(next() * limit);
  return {
    below,
    oneOf<T>(items: readonly T[]): T {
      const item = items[below(items.length)];
      if (item === undefined) throw new Error('nothing to choose from');
      return item;
    },
  };
}

interface Payment extends BookingCharge {
  card: string;
  currency: string;
  paymentId?: string;
  refundIds: string[];
}

interface Intent {
  id: string;
  metadata: { bookingId: string };
}

const CARDS = [
  'pm_card_visa',
  'pm_card_visa',
  'pm_card_visa',
  'pm_card_refundFail',
  'pm_card_pendingRefund',
  'pm_card_threeDSecure2Required',
  'pm_card_visa_chargeDeclined',
];
const FAULTS = [
  { kind: 'error_500' },
  { kind: 'error_500_after' },
  { kind: 'drop_before', times: 2 },
  { kind: 'drop_after', times: 2 },
  { kind: 'truncate_after' },
  { kind: 'rate_limit_429', retryAfterSeconds: 1 },
  { kind: 'webhook_lose' },
  { kind: 'webhook_double' },
];

/**
 * Payments whose books are not sound: an account below zero; tutor, platform, what is owed and what is gone not adding up to what was
 * taken; or owed another amount than was promised and has not left.
 */
async function unsound({ service }: PaymentStack): Promise<readonly unknown[]> {
  return service.database.sql`
    with standing as (
      select p.id, p.captured, p.refunded + p.refund_pending as promised,
        coalesce(-sum(e.amount) filter (where e.account like 'tutor_pending:%'), 0)::int as pending,
        coalesce(-sum(e.amount) filter (where e.account like 'tutor_payable:%'), 0)::int as payable,
        coalesce(-sum(e.amount) filter (where e.account = 'platform_revenue'), 0)::int as revenue,
        coalesce(-sum(e.amount) filter (where e.account = 'payer_owed:' || p.id), 0)::int as owed,
        coalesce(-sum(e.amount) filter (where e.account = 'stripe_balance' and t.kind like 'refund%'), 0)::int as gone
      from payments p
        left join ledger_transactions t on t.payment_id = p.id and t.kind not like 'stray_%'
        left join ledger_entries e on e.transaction_id = t.id
      group by p.id)
    select * from standing
    where least(pending, payable, revenue, owed, gone) < 0 or pending + payable + revenue + owed + gone <> captured
      or promised - gone <> owed`;
}

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { refundDelayMs: 150 });
  await stack.webhooksOn();
});
afterAll(() => stack.close());

test('whatever happens in whatever order, ledger, rows and Stripe agree to the cent', async () => {
  const { below, oneOf } = randomness(SEED);
  const payments: Payment[] = [];
  let refunds = 0;

  const charge = async () => {
    const card = oneOf(CARDS);
    const currency = oneOf(CURRENCIES);
    const payment: Payment = { ...newBooking(), card, currency, refundIds: [] };
    payments.push(payment);
    const wanted = {
      amount: (100 + below(20_000)) * stepOf(currency),
      currency,
      card,
      capture: oneOf(['manual', 'automatic'] as const),
    };
    const { body } = await retried(() => chargeBooking(stack, payment, wanted), 40);
    if (body.paymentId) payment.paymentId = body.paymentId;
    if (body.status !== 'requires_action' || below(3) === 0) return;
    await stack.control(
      'POST',
      `/3ds/${body.clientSecret.split('_secret_')[0]}/${oneOf(['complete', 'complete', 'fail'])}`,
    );
  };
  const on = (act: (payment: Payment & { paymentId: string }) => Promise<unknown>) => async () => {
    const paid = payments.filter(
      (payment): payment is Payment & { paymentId: string } => payment.paymentId !== undefined,
    );
    if (paid.length > 0) await act(oneOf(paid));
  };
  const post = (path: string, key: string, body?: unknown) => retried(() => stack.post(path, key, body), 40);
  const capture = on(({ paymentId, key }) => post(`/payments/${paymentId}/capture`, `${key}/capture`));
  const refresh = on(({ paymentId }) => post(`/payments/${paymentId}/refresh`, ''));
  const abandon = on(({ paymentId, key }) => post(`/payments/${paymentId}/abandon`, `${key}/abandon`));
  const release = on(({ paymentId, key }) =>
    post(`/payments/${paymentId}/earnings/release`, `${key}/release`, { notBefore: '2026-01-01T00:00:00.000Z' }),
  );
  const settle = on((payment) => retried(() => settleBooking(stack, payment), 40));
  /** Has a refund made again, if it has failed. */
  const again = async (id: string) => {
    const { tries } = (await stack.service.internal('GET', `/internal/refunds/${id}`)).body;
    return post(`/refunds/${id}/retry`, `refund:${id}/submit-${tries + 1}`, { number: tries + 1 });
  };
  const refund = on(async (payment) => {
    const { currency } = payment;
    const amount = below(4) === 0 ? null : { amount: (1 + below(6_000)) * stepOf(currency), currency };
    const wanted = { amount, reason: 'random', requestedBy: null };
    const { body } = await post(`/payments/${payment.paymentId}/refunds`, `refund-${++refunds}`, wanted);
    if (!body.refundId) return;
    payment.refundIds.push(body.refundId);
    await post(`/refunds/${body.refundId}/submit`, `refund:${body.refundId}/submit`);
  });
  const share = on(async (payment) => {
    const wanted = { percent: oneOf([0, 33, 50, 100]), reason: 'random', requestedBy: null };
    const { body } = await post(`/payments/${payment.paymentId}/refund-share`, `share-${++refunds}`, wanted);
    if (!body.refundId) return;
    payment.refundIds.push(body.refundId);
    await post(`/refunds/${body.refundId}/submit`, `refund:${body.refundId}/submit`);
  });
  const giveUp = on(async ({ refundIds }) => {
    const id = refundIds[below(refundIds.length)];
    if (id) await post(`/refunds/${id}/give-up`, `refund:${id}/by-hand`, { as: oneOf(['waived', 'paid_elsewhere']) });
  });
  /** The saga of the latest refund has told the payer that it is made. */
  const seen = async () => {
    const id = payments.flatMap(({ refundIds }) => refundIds).at(-1);
    if (id) await post(`/refunds/${id}/close`, `refund:${id}/close`, { as: 'succeeded' });
  };
  const retry = on(async ({ refundIds }) => {
    const id = refundIds[below(refundIds.length)];
    if (id) await again(id);
  });
  const dashboard = on(async ({ paymentId, currency }) => {
    const [row] = await stack.service.database
      .sql`select stripe_intent_id as intent from payments where id = ${paymentId}`;
    if (!row?.intent) return;
    // Refused where nothing was taken or left, as the dashboard would.
    const amount = (1 + below(oneOf([500, 10_000]))) * (stripeEntry(currency)?.step ?? 1);
    await stack.stripe.refunds.create({ payment_intent: row.intent, amount }).catch(() => undefined);
  });
  const fault = () => stack.fault(oneOf(FAULTS));

  const deeds = [
    charge,
    charge,
    charge,
    capture,
    capture,
    refund,
    refund,
    refund,
    share,
    share,
    retry,
    giveUp,
    refresh,
    release,
    settle,
    abandon,
    dashboard,
    fault,
    fault,
  ];
  for (let step = 0; step < STEPS; step += AT_ONCE) {
    await Promise.all(Array.from({ length: AT_ONCE }, () => oneOf(deeds)()));
    await seen();
    expect(await unsound(stack)).toEqual([]);
    await expectFolded(stack.service.database.db, foldedTables);
  }

  await stack.noFaults();
  for (const { refundIds } of payments)
    for (const id of refundIds) await post(`/refunds/${id}/submit`, `refund:${id}/submit`);
  // Until the banks have had their say on every refund.
  const changes = new Set(
    payments.flatMap(({ bookingId, card }) => (card === 'pm_card_refundFail' ? [bookingId] : [])),
  );
  await until(async () => {
    const { refunds: made, payment_intents: all } = await stack.state();
    const fails = new Set(all.flatMap((each: Intent) => (changes.has(each.metadata.bookingId) ? [each.id] : [])));
    const isDecided = (each: { status: string; payment_intent: string; balance_transaction: string | null }) =>
      each.balance_transaction === null ||
      (fails.has(each.payment_intent) ? each.status === 'failed' : each.status !== 'pending');
    return made.every(isDecided);
  });
  // From here on banks change their minds no more.
  await stack.control('POST', '/settings', { refundDelayMs: 3_600_000 });
  const known = payments.flatMap(({ paymentId }) => (paymentId ? [paymentId] : []));
  await until(async () => (await stack.state()).pending_webhooks === 0);
  for (const id of known) expect((await post(`/payments/${id}/refresh`, '')).status).toBe(200);

  const { sql } = stack.service.database;
  const { payment_intents: intents, totals } = await stack.state();
  expect(known.length).toBeGreaterThan(15);
  expect(totals.eur.captured).toBeGreaterThan(0);
  expect(totals.eur.refunded).toBeGreaterThan(0);
  // To the cent: what the ledger says we hold is what Stripe holds.
  for (const currency of new Set(CURRENCIES)) {
    const { stripe_balance: held = 0, stripe_fees: fees = 0 } = await stack.ledger(currency);
    const code = currency.toLowerCase();
    const atStripe = { held: await stack.stripeBalance(code), fees: totals[code]?.fees ?? 0 };
    const here = { held: toStripe({ amount: held, currency }), fees: toStripe({ amount: fees, currency }) };
    expect({ currency, ...here }).toEqual({ currency, ...atStripe });
  }
  // What tutors are to be paid is what Stripe can transfer.
  const shares = await sql`select currency, amount::int as amount from ledger_entries where account like 'tutor_%'`;
  expect(shares.filter(({ currency, amount }) => amount % stepOf(currency) !== 0)).toEqual([]);
  // Each movement balances.
  expect(await sql`select transaction_id from ledger_entries group by transaction_id having sum(amount) <> 0`).toEqual(
    [],
  );
  // One booking, one charge or authorisation.
  const holding = intents.filter(
    ({ status }: { status: string }) => status === 'succeeded' || status === 'requires_capture',
  );
  const bookings = holding.map((intent: { metadata: { bookingId: string } }) => intent.metadata.bookingId);
  expect(new Set(bookings).size).toBe(bookings.length);
  // And whatever is left can be brought to zero.
  for (const payment of payments) expect((await retried(() => settleBooking(stack, payment), 40)).status).toBe(200);
  // By an operator, where a refund has failed that somebody is owed: again.
  const failed = await sql`select id from refunds where status = 'failed'`;
  for (const { id } of failed) expect((await again(id)).status).toBe(200);
  expect(await unsound(stack)).toEqual([]);
  await expectFolded(stack.service.database.db, foldedTables);
  const left = Object.entries(await stack.ledger()).filter(([account]) => /^(tutor|payer)_/.test(account));
  expect(left).toEqual([]);
  expect((await stack.ledger()).platform_revenue ?? 0).toBe(0);
  for (const currency of new Set(CURRENCIES)) {
    const { stripe_balance: amount = 0 } = await stack.ledger(currency);
    expect({ currency, held: toStripe({ amount, currency }) }).toEqual({
      currency,
      held: await stack.stripeBalance(currency.toLowerCase()),
    });
  }
}, 120_000);
