import Stripe from 'stripe';
import { failedWorkflowTasks, historyOf, isCancelRequested } from '../../dev/chaos/histories';
import { contradictions, workflowTroubles } from '../../dev/chaos/reconciliation';
import { sandboxState } from '../../dev/chaos/stripe-state';
import { uuidv7 } from '../../platform/ids';
import { bookingFacts } from '../support/booking-facts';
import { createMarketplace, type Marketplace, type Person, PRICE, type Tutor } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import type { Reply } from '../support/service';

jest.setTimeout(120_000);

let platform: TestPlatform;
let market: Marketplace;
let instant: Tutor;
let confirming: Tutor;
let student: Person;
let crowd: Person[];

const CROWD = 50;
const RACES = 12;

beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
  [instant, confirming, student] = await Promise.all([
    market.tutor({ instant: true }),
    market.tutor({ instant: false }),
    market.student(),
  ]);
  crowd = await market.students(CROWD);
});
afterEach(async () => {
  await platform?.sandbox('DELETE', '/sandbox/faults');
});
afterAll(() => platform?.stop());

const outcomeOf = ({ status, body }: Reply) => `${status}${body?.code ? ` ${body.code}` : ''}`;
const tally = (replies: Reply[]) => {
  const counts: Record<string, number> = {};
  for (const outcome of replies.map(outcomeOf)) counts[outcome] = (counts[outcome] ?? 0) + 1;
  return counts;
};
const workflow = (id: string) => platform.temporal.workflow.getHandle(`booking:${id}`);
const fault = async (body: object) =>
  expect((await platform.sandbox('POST', '/sandbox/faults', body)).status).toBe(201);
const CAPTURED = { charges: 1, captured: PRICE, refunded: 0, reserved: 0, intents: ['succeeded'] };
const NO_MONEY = { charges: 0, captured: 0, refunded: 0, reserved: 0, intents: [] };

async function awaitingTutor(wish: { student?: Person; at?: string } = {}): Promise<string> {
  const reply = await market.book({ student, tutor: confirming, ...wish });
  expect([reply.status, reply.body.statusReason]).toEqual([201, 'awaiting_tutor']);
  return String(reply.body.id);
}

test(`of ${CROWD} students who race for one slot one gets it and is charged; the others are told so and lose nothing`, async () => {
  const at = market.nextHour();
  const replies = await Promise.all(crowd.map((racer) => market.book({ student: racer, tutor: instant, at })));
  // Whoever has to wait for more than ten seconds, on a slow machine, is told 202 and reads the booking.
  const outcomes = Object.keys(tally(replies));
  expect(outcomes.filter((outcome) => !['201', '202', '409 slot_unavailable'].includes(outcome))).toEqual([]);
  const ids = replies.map(({ body }) => String(body.id ?? body.bookingId));
  expect(new Set(ids).size).toBe(CROWD);
  await Promise.all(ids.map((id) => market.untilBooking(id, 'confirmed', 'cancelled')));

  const facts = await Promise.all(ids.map((id) => bookingFacts(platform, id)));
  const winners = ids.filter((_, index) => facts[index]?.booking === 'confirmed');
  expect(winners).toHaveLength(1);
  for (const [index, id] of ids.entries()) {
    const won = winners.includes(id);
    expect(won ? ['201', '202'] : ['409 slot_unavailable', '202']).toContain(replies.map(outcomeOf)[index]);
    if (!won) await workflow(id).result();
    expect(await bookingFacts(platform, id)).toMatchObject(
      won
        ? { slot: 'booked', stripe: CAPTURED }
        : { booking: 'cancelled/slot_unavailable', slot: null, payment: null, stripe: NO_MONEY, ledger: {} },
    );
  }
  const { payment_intents } = await sandboxState(platform);
  expect(payment_intents.filter(({ metadata }) => ids.includes(metadata.bookingId ?? ''))).toHaveLength(1);
});

test('a request whose booking cannot be made yet is answered 202; cancelled then, it leaves nothing', async () => {
  const at = market.nextHour();
  const faults = platform.proxy.nextBooking();
  const create = faults.on('create', { kind: 'hold' });
  const accepted = await market.book({ student, tutor: instant, at });
  const { id } = accepted.body;
  expect([accepted.status, accepted.headers.location]).toEqual([202, `/api/bookings/${id}`]);
  expect(accepted.body).toMatchObject({ status: 'pending', price: null, scheduledAt: at });

  const cancelled = await market.cancelPatiently(student, id);
  expect([cancelled.status, cancelled.body.status]).toEqual([200, 'cancelled']);
  await workflow(id).result();
  create.release();
  const nothing = { booking: null, refusal: 'invalid_state', slot: null, payment: null, stripe: NO_MONEY, ledger: {} };
  expect(await bookingFacts(platform, id)).toMatchObject(nothing);
  expect((await market.book({ student, tutor: instant, at })).status).toBe(201);
});

describe('ten copies of one request under one key', () => {
  test('make one booking and one charge; later the same reply comes again, byte for byte', async () => {
    const wish = { student, tutor: instant, at: market.nextHour(), key: uuidv7() };
    const replies = await Promise.all(Array.from({ length: 10 }, () => market.book(wish)));
    const answered = replies.filter(({ status }) => status === 201);
    expect(answered.length).toBeGreaterThan(0);
    expect(tally(replies.filter(({ status }) => status !== 201))).toEqual(
      answered.length === 10 ? {} : { '409 idempotency_in_progress': 10 - answered.length },
    );
    const [first] = answered;
    for (const reply of answered) expect(reply.body).toEqual(first?.body);
    const again = await market.book(wish);
    expect([again.status, JSON.stringify(again.body), again.headers.location]).toEqual([
      201,
      JSON.stringify(first?.body),
      first?.headers.location,
    ]);
    expect((await bookingFacts(platform, first?.body.id)).stripe).toEqual(CAPTURED);
    const requests = await platform.database('booking')`
      select id from booking_requests where student_id = ${student.id} and scheduled_at = ${wish.at}`;
    expect(requests).toHaveLength(1);
  });

  test('and with another body the key is refused', async () => {
    const key = uuidv7();
    expect((await market.book({ student, tutor: instant, key })).status).toBe(201);
    expect(outcomeOf(await market.book({ student, tutor: instant, key }))).toBe('422 idempotency_key_reused');
  });
});

describe('3-D Secure', () => {
  async function asked(): Promise<{ id: string; intent: string; key: string; at: string }> {
    const key = uuidv7();
    const at = market.nextHour();
    const reply = await market.book({ student, tutor: instant, card: 'pm_card_threeDSecure2Required', key, at });
    expect([reply.status, reply.body.statusReason, reply.body.payment.status]).toEqual([
      ...[202, 'awaiting_payment', 'requires_action'],
    ]);
    const { id, payment } = reply.body;
    return { id: String(id), intent: String(payment.clientSecret).split('_secret')[0] ?? '', key, at };
  }
  const bank = (intent: string, verdict: 'complete' | 'fail') =>
    platform.sandbox('POST', `/sandbox/3ds/${intent}/${verdict}`);

  test('completed: the booking is confirmed within seconds, and a repeated request shows that', async () => {
    const { id, intent, key, at } = await asked();
    await bank(intent, 'complete');
    const since = performance.now();
    expect(await market.untilBooking(id, 'confirmed', 'cancelled')).toBe('confirmed');
    expect(performance.now() - since).toBeLessThan(10_000);
    expect((await bookingFacts(platform, id)).stripe).toEqual(CAPTURED);
    const again = await market.book({ student, tutor: instant, card: 'pm_card_threeDSecure2Required', key, at });
    expect([again.status, again.body.status]).toEqual([202, 'confirmed']);
    expect(again.body.payment).not.toHaveProperty('clientSecret');
  });

  test('completed, and all webhooks lost: a poll finds it', async () => {
    const { id, intent } = await asked();
    await fault({ kind: 'webhook_lose', times: 1_000, match: {} });
    await bank(intent, 'complete');
    expect(await market.untilBooking(id, 'confirmed', 'cancelled')).toBe('confirmed');
    expect((await bookingFacts(platform, id)).stripe).toEqual(CAPTURED);
  });

  test('failed: the booking is cancelled, nothing is kept and the slot is free again', async () => {
    const { id, intent, at } = await asked();
    await bank(intent, 'fail');
    await workflow(id).result();
    expect(await bookingFacts(platform, id)).toMatchObject({
      ...{ booking: 'cancelled/payment_declined', slot: null, payment: 'failed 0-0', ledger: {} },
      stripe: { captured: 0, reserved: 0 },
    });
    expect((await market.book({ student, tutor: instant, at })).status).toBe(201);
  });
});

describe('a tutor who decides', () => {
  test('confirms: the money that was reserved is taken', async () => {
    const id = await awaitingTutor();
    expect((await bookingFacts(platform, id)).stripe).toMatchObject({ captured: 0, reserved: PRICE });
    const reply = await market.confirm(confirming, id);
    expect([reply.status, reply.body.status]).toEqual([200, 'confirmed']);
    expect(await bookingFacts(platform, id)).toMatchObject({ slot: 'booked', stripe: CAPTURED });
  });

  test('declines: nothing is taken and the slot is free again', async () => {
    const at = market.nextHour();
    const id = await awaitingTutor({ at });
    const reply = await market.decline(confirming, id);
    expect([reply.status, reply.body.status, reply.body.statusReason]).toEqual([200, 'cancelled', 'declined']);
    await workflow(id).result();
    expect(await bookingFacts(platform, id)).toMatchObject({
      ...{ slot: null, payment: 'voided 0-0', ledger: {} },
      stripe: { captured: 0, reserved: 0 },
    });
    await awaitingTutor({ at });
  });

  test('says yes twice at once: one yes counts and the money is taken once', async () => {
    const id = await awaitingTutor();
    const replies = await Promise.all([market.confirm(confirming, id), market.confirm(confirming, id)]);
    expect(tally(replies)).toEqual({ '200': 1, '409 invalid_state': 1 });
    expect((await bookingFacts(platform, id)).stripe).toEqual(CAPTURED);
  });

  test('says yes and no at once: one of them counts', async () => {
    const id = await awaitingTutor();
    const replies = await Promise.all([market.confirm(confirming, id), market.decline(confirming, id)]);
    expect(tally(replies)).toEqual({ '200': 1, '409 invalid_state': 1 });
    const confirmed = replies[0]?.status === 200;
    const wanted = confirmed
      ? { booking: 'confirmed', stripe: CAPTURED }
      : { booking: 'cancelled/declined', slot: null };
    expect(await bookingFacts(platform, id)).toMatchObject(wanted);
  });
});

describe('a cancel that races the tutor’s confirmation', () => {
  /** How the race came out, and whether the cancel met the capture. */
  const seen: Record<string, number> = {};

  async function note(id: string, confirmed: Reply, cancelled: Reply): Promise<void> {
    const met = isCancelRequested(await historyOf(platform.temporal, `booking:${id}`)) ? ', met the capture' : '';
    const what = `confirm ${outcomeOf(confirmed)}, cancel ${outcomeOf(cancelled)}${met}`;
    seen[what] = (seen[what] ?? 0) + 1;
    // Whichever is first, both may come true one after the other; never can both be refused.
    expect(what).toMatch(/^confirm (?:200, cancel 200|200, cancel 409 invalid_state|409 invalid_state, cancel 200)/);
    if (cancelled.status === 200) await workflow(id).result();
    const { booking, stripe } = await bookingFacts(platform, id);
    if (cancelled.status === 200) {
      expect(booking).toMatch(/^(?:cancelled|refunded)\/cancelled_by_student$/);
      expect([stripe.captured - stripe.refunded, stripe.reserved]).toEqual([0, 0]);
    } else expect([booking, stripe]).toEqual(['confirmed', CAPTURED]);
    expect(failedWorkflowTasks(await historyOf(platform.temporal, `booking:${id}`))).toEqual([]);
  }

  /** A few at a time, so that they race each other and not for the processor. */
  async function race(count: number, run: (who: Person, index: number) => Promise<void>): Promise<void> {
    for (let start = 0; start < count; start += 4) {
      await Promise.all([0, 1, 2, 3].map((offset) => run(crowd[start + offset] ?? student, start + offset)));
    }
  }

  test(`${RACES} times: cancelled with nothing kept, or confirmed and charged once; and every reply is true`, async () => {
    await race(RACES, async (who, index) => {
      const id = await awaitingTutor({ student: who });
      const confirmed = market.confirmPatiently(confirming, id);
      // From together to a whole confirmation apart.
      await new Promise((resolve) => setTimeout(resolve, index * 20));
      const cancelled = market.cancelPatiently(who, id);
      await note(id, await confirmed, await cancelled);
    });
    // Were it always the same, nothing would have raced.
    expect(Object.keys(seen).length).toBeGreaterThan(1);
  });

  test(`${RACES} times with the capture being answered in the very moment: the same`, async () => {
    await race(RACES, async (who, index) => {
      const id = await awaitingTutor({ student: who });
      const capture = platform.proxy.booking(id).on('take-payment', { kind: 'hold-answer' });
      const confirmed = market.confirmPatiently(confirming, id);
      await capture.met();
      const cancelled = market.cancelPatiently(who, id);
      await eventually('the cancel is on its way', async () => {
        const notes = await platform.database('booking')`select 1 from booking_notes where booking_id = ${id}`;
        return notes.length > 0;
      });
      await new Promise((resolve) => setTimeout(resolve, index % 12));
      capture.release();
      await note(id, await confirmed, await cancelled);
    });
  });

  afterAll(() => process.stdout.write(process.env.SHOW_RACES ? `${JSON.stringify(seen, null, 1)}\n` : ''));
});

test('the worker is killed between charge and confirmation: the booking is confirmed all the same, and charged once', async () => {
  const faults = platform.proxy.nextBooking();
  const held = faults.on('confirm', { kind: 'hold' });
  const booked = market.book({ student, tutor: instant });
  await held.met();
  const id = await faults.id();
  expect(await bookingFacts(platform, id)).toMatchObject({ booking: 'pending', stripe: CAPTURED });
  await platform.killBookingWorker();
  held.release();
  expect([201, 202]).toContain((await booked).status);
  expect(await market.untilBooking(id, 'confirmed', 'cancelled')).toBe('confirmed');
  expect(await bookingFacts(platform, id)).toMatchObject({ slot: 'booked', stripe: CAPTURED });
  const state = async () => (await workflow(id).describe()).searchAttributes.SagaState?.[0];
  await eventually('the saga waits for the session', async () => (await state()) === 'Confirmed');
});

test('a confirmation takes effect, its worker is killed, and a cancel comes before the next one: it is a confirmed booking that is cancelled', async () => {
  const faults = platform.proxy.nextBooking();
  const held = faults.on('confirm', { kind: 'hold-answer' });
  const booked = market.book({ student, tutor: instant });
  await held.met();
  const id = await faults.id();
  expect([201, 202]).toContain((await booked).status);
  const { answered } = await market.cancelHeld(student, id);
  await platform.killBookingWorker();
  held.release();
  expect((await answered).status).toBe(200);
  await workflow(id).result();
  expect(await bookingFacts(platform, id)).toMatchObject({
    ...{ booking: 'refunded/cancelled_by_student', slot: null },
    stripe: { charges: 1, captured: PRICE, refunded: PRICE },
  });
  const told = await platform.database('booking')`
    select type from events where stream_id = ${id} and type in ('BookingConfirmed', 'BookingCancelled') order by version`;
  expect(told.map(({ type }) => type)).toEqual(['BookingConfirmed', 'BookingCancelled']);
});

test('moving sessions race new bookings for the same hours: each hour goes to one of them, and who lost keeps the old one', async () => {
  const racers = crowd.slice(0, 8);
  const moving = await Promise.all(
    racers.map(async (racer) => {
      const { status, body } = await market.book({ student: racer, tutor: instant });
      expect(status).toBe(201);
      return { id: String(body.id), from: String(body.scheduledAt), to: market.nextHour() };
    }),
  );
  const results = await Promise.all(
    moving.map(async ({ id, from, to }, index) => {
      const [moved, booked] = await Promise.all([
        market.move(instant, id, to),
        market.book({ student: crowd[index + 8] ?? student, tutor: instant, at: to }),
      ]);
      return { id, from, to, moved, booked };
    }),
  );
  for (const { id, from, to, moved, booked } of results) {
    const outcomes = [outcomeOf(moved), outcomeOf(booked)];
    expect([
      ['200', '409 slot_unavailable'],
      ['409 slot_unavailable', '201'],
    ]).toContainEqual(outcomes);
    expect((await market.read(instant, id)).body.scheduledAt).toBe(moved.status === 200 ? to : from);
  }
});

describe('webhooks', () => {
  test.each([
    ['come twice', { kind: 'webhook_double', times: 100, match: {} }],
    ['overtake each other', { kind: 'webhook_reorder', ms: 1_000, times: 100, match: {} }],
    ['come late', { kind: 'webhook_delay', ms: 2_000, times: 100, match: {} }],
    ['are signed wrongly at first', { kind: 'webhook_bad_signature', times: 100, match: {} }],
    ['carry an old time stamp at first', { kind: 'webhook_stale_timestamp', times: 100, match: {} }],
  ])('that %s change nothing: a booking, and one cancelled after it, end as they should', async (_, rule) => {
    await fault(rule);
    const booked = await market.book({ student, tutor: instant });
    expect(booked.status).toBe(201);
    const { id } = booked.body;
    expect((await bookingFacts(platform, id)).stripe).toEqual(CAPTURED);
    const cancelled = await market.cancelPatiently(student, id);
    expect(outcomeOf(cancelled)).toBe('200');
    await workflow(id).result();
    expect(await bookingFacts(platform, id)).toMatchObject({
      ...{ booking: 'refunded/cancelled_by_student', slot: null, payment: `refunded ${PRICE}-${PRICE}` },
      stripe: { charges: 1, captured: PRICE, refunded: PRICE },
    });
  });

  test('of somebody else are refused: wrong secret, wrong body, too old', async () => {
    const { status, body } = await market.book({ student, tutor: instant, card: 'pm_card_threeDSecure2Required' });
    expect(status).toBe(202);
    const intent = String(body.payment.clientSecret).split('_secret')[0];
    const payload = JSON.stringify({
      ...{
        id: 'evt_forged',
        object: 'event',
        type: 'payment_intent.succeeded',
        created: Math.floor(Date.now() / 1_000),
      },
      data: { object: { id: intent, object: 'payment_intent', status: 'succeeded' } },
    });
    const stripe = new Stripe('sk_test_unused');
    const sign = (options: { secret?: string; timestamp?: number }) =>
      stripe.webhooks.generateTestHeaderString({ payload, secret: platform.webhookSecret, ...options });
    const hourAgo = Math.floor(Date.now() / 1_000) - 3_600;
    const deliver = (signature: string, raw = payload) =>
      platform.ask('POST', '/api/stripe/webhooks', {
        raw,
        headers: { 'stripe-signature': signature, 'content-type': 'application/json' },
      });
    for (const reply of [
      await deliver(sign({ secret: 'whsec_somebody_elses' })),
      await deliver(sign({}), payload.replace('evt_forged', 'evt_changed')),
      await deliver(sign({ timestamp: hourAgo })),
    ]) {
      expect(outcomeOf(reply)).toBe('400 invalid_signature');
    }
    // Even a well signed one is no more than a hint: what counts is what Stripe says when asked.
    expect((await deliver(sign({}))).status).toBe(200);
    expect(await bookingFacts(platform, body.id)).toMatchObject({ booking: 'pending/awaiting_payment', ledger: {} });
    expect((await market.cancelPatiently(student, body.id)).status).toBe(200);
    await workflow(body.id).result();
  });
});

describe('after all of that', () => {
  test('bookings, slots, payments, ledger and Stripe agree to the cent', async () => {
    await eventually(
      'Stripe has delivered its webhooks',
      async () => (await sandboxState(platform)).pending_webhooks === 0,
    );
    expect(await contradictions(platform)).toEqual([]);
  });

  test('no workflow is stuck, none had a failing task, and no history names a person', async () => {
    const { troubles, workflows } = await workflowTroubles(platform, market.people);
    expect(troubles).toEqual([]);
    expect(workflows).toBeGreaterThan(2 * CROWD);
  });

  test('nobody was written to twice about the same thing', async () => {
    const mails = await platform.mails();
    expect(mails.length).toBeGreaterThan(CROWD);
    const texts = mails.map(({ recipients, subject, text }) => `${recipients.join()} ${subject} ${text}`);
    expect(texts.filter((text, index) => texts.indexOf(text) !== index)).toEqual([]);
  });
});

// Last, because what they leave behind is contradictory on purpose: money that an operator has settled elsewhere.
describe('a refund saga that is terminated by hand leaves its booking asking for an operator', () => {
  /** `cancelling` is answered once an operator has decided. */
  async function cancelledAndTerminated(): Promise<{ id: string; cancelling: Promise<Reply> }> {
    const booked = await market.book({ student, tutor: instant });
    expect(booked.status).toBe(201);
    const id = String(booked.body.id);
    // Stripe makes no refunds for now.
    await fault({ kind: 'rate_limit_429', times: 1_000, match: { method: 'POST', path: '/v1/refunds' } });
    const cancelling = market.cancel(student, id);
    const refundId = await eventually('its refund is recorded', async () => {
      const [row] = await platform.database('payment')`
        select r.id from refunds r join payments p on p.id = r.payment_id where p.booking_id = ${id}`;
      return typeof row?.id === 'string' && row.id;
    });
    const refund = platform.temporal.workflow.getHandle(`refund:${refundId}`);
    await eventually('its saga runs', () =>
      refund.terminate('by hand').then(
        () => true,
        () => false,
      ),
    );
    await eventually('an operator is asked for', async () => {
      const { searchAttributes } = await workflow(id).describe();
      return searchAttributes.SagaState?.[0] === 'NeedsAttention';
    });
    return { id, cancelling };
  }
  const resolve = (id: string, action: 'retry' | 'accept') =>
    workflow(id).executeUpdate('resolve', { args: [{ action, noteId: null }] });

  test('retry: the refund begins again and is made, once', async () => {
    const { id, cancelling } = await cancelledAndTerminated();
    await platform.sandbox('DELETE', '/sandbox/faults');
    await resolve(id, 'retry');
    await workflow(id).result();
    expect([200, 503]).toContain((await cancelling).status);
    expect(await bookingFacts(platform, id)).toMatchObject({
      booking: 'refunded/cancelled_by_student',
      stripe: { captured: PRICE, refunded: PRICE },
    });
  });

  test('accept: the booking is over, and its refund stays open for whoever settles it', async () => {
    const { id, cancelling } = await cancelledAndTerminated();
    await resolve(id, 'accept');
    await workflow(id).result();
    expect([200, 503]).toContain((await cancelling).status);
    expect(await bookingFacts(platform, id)).toMatchObject({
      booking: 'cancelled/cancelled_by_student',
      slot: null,
      stripe: { captured: PRICE, refunded: 0 },
    });
  });
});
