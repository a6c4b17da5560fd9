import { uuidv7 } from '../../../platform/ids';
import { EUR, type PaymentStack, type Started, startPaymentStack, until } from '../../../tests/support/payment';

/** What the saga of a direct payment or refund does first; `false` leaves it undone, as if no worker ran. */
let isWorking = true;
let stack: PaymentStack;

async function work({ workflowId }: Started): Promise<void> {
  const [kind, id] = workflowId.split(':');
  if (kind === 'payment') await stack.post(`/payments/${id}/charge`, `${workflowId}/charge`);
  else await stack.post(`/refunds/${id}/submit`, `${workflowId}/submit`);
}

beforeAll(async () => {
  stack = await startPaymentStack({
    onStart: (started) => {
      if (isWorking) void work(started);
    },
  });
});
afterAll(() => stack.close());
afterEach(async () => {
  isWorking = true;
  stack.temporal.isDown = false;
  await stack.noFaults();
});

interface Person {
  id: string;
  token: string;
}

async function person(role: 'student' | 'tutor' | 'admin'): Promise<Person> {
  const id = uuidv7();
  if (role !== 'admin')
    await stack.post('/accounts', `user:${id}/account`, { userId: id, role, email: `${id}@example.org`, name: 'N' });
  return { id, token: await stack.service.userToken({ id, role }) };
}

let counter = 0;
const newKey = () => `key-${++counter}`;

function pay(payer: Person, payee: Person, more: Record<string, unknown> = {}, key = newKey()) {
  const body = {
    payeeId: payee.id,
    amount: EUR(2000),
    paymentMethodId: 'pm_card_visa',
    description: 'Two books',
    ...more,
  };
  return stack.service.ask('POST', '/api/payments', { token: payer.token, key, body });
}

function refund(who: Person, paymentId: string, more: Record<string, unknown> = {}, key = newKey()) {
  const body = { reason: 'A book was missing', ...more };
  return stack.service.ask('POST', `/api/payments/${paymentId}/refund`, { token: who.token, key, body });
}

const look = (who: Person, path: string) => stack.service.ask('GET', `/api/payments/${path}`, { token: who.token });

describe('POST /api/payments', () => {
  test('answers 201 with the payment once the money is taken', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const reply = await pay(payer, payee);
    expect(reply).toMatchObject({
      status: 201,
      body: {
        status: 'captured',
        bookingId: null,
        payerId: payer.id,
        payeeId: payee.id,
        amount: EUR(2000),
        captured: EUR(2000),
        refunded: EUR(0),
        refundPending: EUR(0),
        description: 'Two books',
        workflowId: `payment:${reply.body.id}`,
        createdAt: expect.stringMatching(/Z$/),
      },
    });
    expect(reply.headers.location).toBe(`/api/payments/${reply.body.id}`);
    expect(stack.started).toContainEqual({
      workflowId: `payment:${reply.body.id}`,
      input: { paymentId: reply.body.id, payerId: payer.id, payeeId: payee.id },
    });
  });

  test('under the same key answers the same again and charges once', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const key = newKey();
    const first = await pay(payer, payee, {}, key);
    const again = await pay(payer, payee, {}, key);
    expect(again).toMatchObject({ status: 201, body: first.body });
    expect(again.headers.location).toBe(first.headers.location);
    const { payment_intents: intents } = await stack.state();
    const mine = intents.filter(
      (intent: { metadata: { paymentId: string } }) => intent.metadata.paymentId === first.body.id,
    );
    expect(mine).toHaveLength(1);
    expect(await pay(payer, payee, { amount: EUR(2001) }, key)).toMatchObject({
      status: 422,
      body: { code: 'idempotency_key_reused' },
    });
  });

  test('ten at once under one key make one payment', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const key = newKey();
    const replies = await Promise.all(Array.from({ length: 10 }, () => pay(payer, payee, {}, key)));
    const made = replies.filter(({ status }) => status === 201);
    expect(made.length).toBeGreaterThan(0);
    expect(new Set(made.map(({ body }) => body.id)).size).toBe(1);
    for (const { status, body } of replies) if (status !== 201) expect(body.code).toBe('idempotency_in_progress');
    const rows = await stack.service.database.sql`select 1 from payments where payer_id = ${payer.id}`;
    expect(rows).toHaveLength(1);
  });

  test('a declined card is 402 with Stripe’s code, the same again under the same key', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const key = newKey();
    const card = { paymentMethodId: 'pm_card_visa_chargeDeclinedInsufficientFunds' };
    const first = await pay(payer, payee, card, key);
    expect(first).toMatchObject({
      status: 402,
      body: { code: 'payment_declined', declineCode: 'insufficient_funds', paymentId: expect.any(String) },
      headers: { 'content-type': expect.stringContaining('application/problem+json') },
    });
    const again = await pay(payer, payee, card, key);
    expect(again.body).toEqual({ ...first.body, requestId: again.body.requestId });
    expect((await look(payer, first.body.paymentId)).body).toMatchObject({
      status: 'failed',
      declineCode: 'insufficient_funds',
    });
  });

  test('3-D Secure is 202 with the client secret; repeated later it shows what the payment has become', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const key = newKey();
    const card = { paymentMethodId: 'pm_card_threeDSecure2Required' };
    const first = await pay(payer, payee, card, key);
    expect(first).toMatchObject({ status: 202, body: { status: 'requires_action' } });
    expect(first.body.clientSecret).toMatch(/_secret_/);
    expect((await look(payer, first.body.id)).body.clientSecret).toBe(first.body.clientSecret);
    expect((await look(payee, first.body.id)).body.clientSecret).toBeUndefined();
    const stored = await stack.service.database.sql`select reply_body from idempotency_keys where key = ${key}`;
    expect(JSON.stringify(stored)).not.toContain('_secret_');

    await stack.control('POST', `/3ds/${first.body.clientSecret.split('_secret_')[0]}/complete`);
    await stack.post(`/payments/${first.body.id}/refresh`);
    const again = await pay(payer, payee, card, key);
    expect(again).toMatchObject({ status: 202, body: { id: first.body.id, status: 'captured', captured: EUR(2000) } });
    expect(again.body.clientSecret).toBeUndefined();
  });

  test('with Temporal down is 503, and the same request works as soon as it is back', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const key = newKey();
    stack.temporal.isDown = true;
    const down = await pay(payer, payee, {}, key);
    expect(down).toMatchObject({
      status: 503,
      body: { code: 'upstream_unavailable' },
      headers: { 'retry-after': '2' },
    });
    stack.temporal.isDown = false;
    const up = await pay(payer, payee, {}, key);
    expect(up.status).toBe(201);
    const rows = await stack.service.database.sql`select id from payments where payer_id = ${payer.id}`;
    expect(rows.map(({ id }) => id)).toEqual([up.body.id]);
  });

  test('that takes too long is 202, and says what became of it when it is repeated', async () => {
    const impatient = await startPaymentStack({ answerWithinMs: 100 });
    const payerId = uuidv7();
    const payee = { userId: uuidv7(), role: 'tutor', email: 't@example.org', name: 'T' };
    await impatient.post('/accounts', `user:${payee.userId}/account`, payee);
    const token = await impatient.service.userToken({ id: payerId, role: 'student' });
    const card = { paymentMethodId: 'pm_card_visa', description: 'd' };
    const body = { payeeId: payee.userId, amount: EUR(2000), ...card };
    const ask = () => impatient.service.ask('POST', '/api/payments', { token, key: 'slow', body });
    const slow = await ask();
    expect(slow).toMatchObject({ status: 202, body: { status: 'pending' } });
    await impatient.post(`/payments/${slow.body.id}/charge`, `payment:${slow.body.id}/charge`);
    expect((await ask()).body).toMatchObject({ id: slow.body.id, status: 'captured' });
    await impatient.close();
  });

  test('that was given up meanwhile is 409 payment_expired', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    isWorking = false;
    const begun = stack.started.length;
    const reply = pay(payer, payee);
    const { workflowId } = await until(() => stack.started[begun]);
    const id = workflowId.split(':')[1];
    await stack.post(`/payments/${id}/abandon`, `${workflowId}/abandon`);
    expect(await reply).toMatchObject({ status: 409, body: { code: 'payment_expired', paymentId: id } });
  });

  test.each([
    ['nothing', { amount: EUR(0) }, 'amount.amount'],
    ['less than nothing', { amount: EUR(-100) }, 'amount.amount'],
    ['a fraction', { amount: EUR(100.5) }, 'amount.amount'],
    ['more than Stripe takes', { amount: EUR(100_000_000) }, 'amount.amount'],
    ['money of nowhere', { amount: { amount: 100, currency: 'XQX' } }, 'amount.currency'],
    ['a card number', { paymentMethodId: '4242424242424242' }, 'paymentMethodId'],
    ['no description', { description: '  ' }, 'description'],
    ['a fee of one’s own', { fee: 0 }, 'fee'],
    ['nobody', { payeeId: uuidv7() }, 'payeeId'],
  ])('of %s is refused', async (_, more, path) => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const reply = await pay(payer, payee, more);
    expect(reply).toMatchObject({ status: 422, body: { code: 'validation_failed' } });
    expect(reply.body.errors.map((error: { path: string }) => error.path)).toContain(path);
  });

  test('to oneself, without a key or without a token is refused', async () => {
    const payer = await person('student');
    expect((await pay(payer, payer)).body.errors).toMatchObject([{ path: 'payeeId' }]);
    const body = { payeeId: payer.id, amount: EUR(100), paymentMethodId: 'pm_card_visa', description: 'd' };
    const keyless = await stack.service.ask('POST', '/api/payments', { token: payer.token, body });
    expect(keyless).toMatchObject({ status: 400, body: { code: 'idempotency_key_required' } });
    expect((await stack.service.ask('POST', '/api/payments', { key: 'k', body })).status).toBe(401);
  });
});

describe('GET /api/payments/{id}', () => {
  test('is for payer, payee and admins; to others it does not exist', async () => {
    const [payer, payee, stranger, admin] = await Promise.all([
      person('student'),
      person('tutor'),
      person('tutor'),
      person('admin'),
    ]);
    const { body } = await pay(payer, payee);
    for (const who of [payer, payee, admin]) {
      expect(await look(who, body.id)).toMatchObject({ status: 200, body: { id: body.id } });
      expect(await look(who, `${body.id}/refunds`)).toMatchObject({
        status: 200,
        body: { items: [], nextCursor: null },
      });
    }
    for (const path of [body.id, `${body.id}/refunds`, uuidv7(), 'nonsense'])
      expect((await look(stranger, path)).status).toBe(404);
  });
});

describe('POST /api/payments/{id}/refund', () => {
  test('by the payee answers 201 once Stripe has it, and is listed', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const { body: payment } = await pay(payer, payee);
    const key = newKey();
    const reply = await refund(payee, payment.id, { amount: EUR(500) }, key);
    expect(reply).toMatchObject({
      status: 201,
      body: {
        paymentId: payment.id,
        amount: EUR(500),
        reason: 'A book was missing',
        workflowId: `refund:${reply.body.id}`,
        status: expect.stringMatching(/pending|succeeded/),
      },
    });
    expect(stack.started).toContainEqual({
      workflowId: `refund:${reply.body.id}`,
      input: { refundId: reply.body.id, paymentId: payment.id, bookingId: null },
    });
    expect((await refund(payee, payment.id, { amount: EUR(500) }, key)).body).toEqual(reply.body);
    await refund(payee, payment.id);
    const { body: list } = await look(payer, `${payment.id}/refunds`);
    expect(list.items.map((item: { amount: unknown }) => item.amount)).toEqual([EUR(1500), EUR(500)]);
    expect((await look(payer, payment.id)).body).toMatchObject({ status: 'refunded', refunded: EUR(2000) });
  });

  test('shows what is asked for and not yet through apart from what is refunded', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const { body: payment } = await pay(payer, payee);
    const wanted = { amount: EUR(300), reason: 'r', requestedBy: payee.id };
    await stack.post(`/payments/${payment.id}/refunds`, newKey(), wanted);
    expect((await look(payer, payment.id)).body).toMatchObject({ refunded: EUR(0), refundPending: EUR(300) });
  });

  test('an admin may, the payer may not, and for a stranger there is no such payment', async () => {
    const [payer, payee, stranger, admin] = await Promise.all([
      person('student'),
      person('tutor'),
      person('tutor'),
      person('admin'),
    ]);
    const { body: payment } = await pay(payer, payee);
    expect(await refund(payer, payment.id)).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect((await refund(stranger, payment.id)).status).toBe(404);
    expect((await refund(admin, uuidv7())).status).toBe(404);
    expect(await refund(admin, payment.id, { reason: 'Agreed' })).toMatchObject({
      ...{ status: 422, body: { errors: [{ path: 'body.reason' }] } },
    });
    const key = newKey();
    const refunded = await refund(admin, payment.id, {}, key);
    expect(refunded.status).toBe(201);
    expect(await refund(admin, payment.id, {}, key)).toMatchObject({ status: 201, body: { id: refunded.body.id } });
    const acts = (who: Person) =>
      stack.service.ask('GET', `/api/payment-acts?subjectId=${payment.id}`, { token: who.token });
    expect((await acts(payee)).status).toBe(403);
    expect((await acts(admin)).body.items).toMatchObject([
      {
        ...{ adminId: admin.id, act: 'refund_requested', subject: { type: 'payment', id: payment.id } },
        ...{ reason: 'A book was missing', before: { refundable: 2000 } },
        ...{ after: { refundId: refunded.body.id, amount: 2000 } },
      },
    ]);
  });

  test('above what is left is 409, and stays 409 under its key', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const { body: payment } = await pay(payer, payee);
    const key = newKey();
    const refusal = { status: 409, body: { code: 'refund_exceeds_payment' } };
    expect(await refund(payee, payment.id, { amount: EUR(2001) }, key)).toMatchObject(refusal);
    expect(await refund(payee, payment.id, { amount: EUR(2001) }, key)).toMatchObject(refusal);
    expect((await refund(payee, payment.id)).status).toBe(201);
    expect(await refund(payee, payment.id)).toMatchObject(refusal);
  });

  test('in another currency, of nothing or without a reason is 422 and leaves the key free', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const { body: payment } = await pay(payer, payee);
    const key = newKey();
    const dollars = { amount: { amount: 100, currency: 'USD' } };
    expect((await refund(payee, payment.id, dollars, key)).status).toBe(422);
    expect((await refund(payee, payment.id, { amount: EUR(0) }, key)).status).toBe(422);
    expect((await refund(payee, payment.id, { reason: '' }, key)).status).toBe(422);
    expect((await refund(payee, payment.id, { amount: EUR(100) }, key)).status).toBe(201);
  });

  const inDashboard = async (paymentId: string) => {
    const [row] = await stack.service.database.sql`select stripe_intent_id from payments where id = ${paymentId}`;
    await stack.stripe.refunds.create({ payment_intent: row?.stripe_intent_id });
  };
  const refuse = (code: string) =>
    stack.fault({ kind: 'refuse_400', code, match: { method: 'POST', path: '/v1/refunds' } });

  test.each([
    ['that Stripe refuses is 409 refund_failed', 'refund_failed', () => refuse('charge_disputed')],
    ['of what Stripe’s dashboard has given back is 409 refund_exceeds_payment', 'refund_exceeds_payment', inDashboard],
  ])('%s, again under its key', async (_, code, before) => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const { body: payment } = await pay(payer, payee);
    await before(payment.id);
    const key = newKey();
    const first = await refund(payee, payment.id, {}, key);
    expect(first).toMatchObject({ status: 409, body: { code, paymentId: payment.id } });
    expect((await refund(payee, payment.id, {}, key)).body).toEqual({
      ...first.body,
      requestId: expect.any(String),
    });
  });

  test('with Temporal down is 503, and the same request goes on with the same refund', async () => {
    const [payer, payee] = [await person('student'), await person('tutor')];
    const { body: payment } = await pay(payer, payee);
    const key = newKey();
    stack.temporal.isDown = true;
    expect((await refund(payee, payment.id, {}, key)).status).toBe(503);
    stack.temporal.isDown = false;
    const up = await refund(payee, payment.id, {}, key);
    expect(up.status).toBe(201);
    expect((await look(payer, `${payment.id}/refunds`)).body.items).toHaveLength(1);
  });
});

test('the published document names the public operations and none of the internal ones', async () => {
  const { body } = await stack.service.ask('GET', '/openapi.json');
  expect(Object.keys(body.paths)).toEqual([
    '/api/stripe/config',
    '/api/payment-methods',
    '/api/payment-methods/setup',
    '/api/payment-methods/{id}',
    '/api/wallet',
    '/api/wallet/entries',
    '/api/wallet/entries.csv',
    '/api/payouts/account',
    '/api/payouts/account/onboarding',
    '/api/payouts/initiate',
    '/api/payouts',
    '/api/payouts/{id}',
    '/api/disputes',
    '/api/disputes/{id}',
    '/api/disputes/{id}/evidence',
    '/api/disputes/{id}/submit',
    '/api/disputes/{id}/accept',
    '/api/payments/{id}/receipt.pdf',
    '/api/refunds/{id}/credit-note.pdf',
    '/api/payments',
    '/api/payments/{id}',
    '/api/payments/{id}/refunds',
    '/api/payments/{id}/refund',
    '/api/stripe/webhooks',
    '/api/stripe/webhooks/{eventId}/replay',
    '/api/payment-acts',
  ]);
});
