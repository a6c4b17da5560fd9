import { uuidv7 } from '../../../platform/ids';
import { cardHolder, EUR, openAccount, type PaymentStack, startPaymentStack } from '../../../tests/support/payment';
import { ask } from '../../../tests/support/service';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

/** The customer that somebody is at Stripe. */
async function customerOf({ id }: { id: string }): Promise<string> {
  const { customers } = await stack.state();
  return String(customers.find(({ metadata }: { metadata?: { userId?: string } }) => metadata?.userId === id)?.id);
}

/** The setups of a customer at Stripe. */
async function setupsOf(holder: { id: string }) {
  return (await stack.stripe.setupIntents.list({ customer: await customerOf(holder) })).data;
}

test('anybody is told by what a page gives cards to Stripe, and no secret', async () => {
  const { status, body } = await stack.service.ask('GET', '/api/stripe/config');
  expect([status, body]).toEqual([
    200,
    { publishableKey: 'pk_test_sandbox', scriptUrl: `${stack.sandbox.url}/stripe.js` },
  ]);
  const script = await ask(body.scriptUrl, 'GET', '');
  expect([script.status, script.headers['content-type']]).toEqual([200, expect.stringContaining('javascript')]);
});

describe('a card that is saved', () => {
  test('is shown by brand, last digits and expiry, and by nothing else of it', async () => {
    const holder = await cardHolder(stack);
    expect((await holder.list()).body).toEqual({ items: [] });
    const id = await holder.save();
    const { status, body } = await holder.list();
    const expYear = new Date().getUTCFullYear() + 1;
    expect([status, body]).toEqual([
      200,
      {
        items: [
          { id, brand: 'visa', last4: '4242', expMonth: 8, expYear, createdAt: expect.stringMatching(/^\d{4}-.*Z$/) },
        ],
      },
    ]);
  });

  test('is its customer’s, for payments at which they are there, and a card alone', async () => {
    const holder = await cardHolder(stack);
    await holder.save();
    expect(await setupsOf(holder)).toMatchObject([
      {
        ...{ status: 'succeeded', usage: 'on_session', allowed_payment_method_types: ['card'] },
        automatic_payment_methods: { allow_redirects: 'never' },
      },
    ]);
  });

  test('is shown with all the others, the newest first, however many there are', async () => {
    const holder = await cardHolder(stack);
    const customer = await customerOf(holder);
    const ids: string[] = [];
    for (let count = 0; count < 101; count += 1)
      ids.unshift((await stack.stripe.paymentMethods.attach('pm_card_mastercard', { customer })).id);
    const { items } = (await holder.list()).body;
    expect(items.map(({ id }: { id: string }) => id)).toEqual(ids);
  });

  test('leaves nothing in the database, neither of itself nor of its setup', async () => {
    const holder = await cardHolder(stack);
    const key = uuidv7();
    const { clientSecret } = (await holder.setUp(key)).body;
    const card = await holder.save();
    await holder.list();
    await holder.remove(card);
    const { sql } = stack.service.database;
    const tables = await sql<{ name: string }[]>`
      select table_name as name from information_schema.tables where table_schema = 'public'`;
    const texts: string[] = [];
    for (const { name } of tables)
      for (const row of await sql<{ text: string }[]>`select to_jsonb(t)::text as text from ${sql(name)} t`)
        texts.push(row.text);
    const stored = texts.join('\n');
    expect(stored).toContain(key);
    for (const word of [clientSecret, 'seti_', card, 'visa', 'last4']) expect(stored).not.toContain(word);
  });
});

describe('a setup', () => {
  test('is the same one under the same key, and another under another', async () => {
    const holder = await cardHolder(stack);
    const [first, again, other] = [await holder.setUp('one'), await holder.setUp('one'), await holder.setUp('two')];
    expect([first.status, again.status, other.status]).toEqual([201, 201, 201]);
    expect(first.body).toEqual({ clientSecret: expect.stringMatching(/^seti_.*_secret_/) });
    expect(again.body).toEqual(first.body);
    expect(other.body).not.toEqual(first.body);
    expect(await setupsOf(holder)).toHaveLength(2);
  });

  test('is another for another student under the same key', async () => {
    const [one, two] = [await cardHolder(stack), await cardHolder(stack)];
    expect((await one.setUp('same')).body).not.toEqual((await two.setUp('same')).body);
    const { body } = await stack.control('GET', '/requests?limit=2');
    expect(body.requests).toMatchObject(Array(2).fill({ path: '/v1/setup_intents', status: 200, replayed: false }));
  });

  test('is a new one where Stripe has seen the request’s key with another customer', async () => {
    const [holder, other] = [await cardHolder(stack), await cardHolder(stack)];
    const before = await holder.setUp('kept');
    const { sql } = stack.service.database;
    const customer = await customerOf(other);
    await sql`update stripe_accounts set stripe_id = null where user_id = ${other.id}`;
    await sql`update stripe_accounts set stripe_id = ${customer} where user_id = ${holder.id}`;
    const after = await holder.setUp('kept');
    expect(after.status).toBe(201);
    expect(after.body).not.toEqual(before.body);
    expect(await setupsOf(other)).toHaveLength(1);
  });

  test('is refused under the key of another request', async () => {
    const [holder, payee] = [await cardHolder(stack), uuidv7()];
    await openAccount(stack, payee, 'tutor');
    const key = uuidv7();
    await holder.setUp(key);
    const body = { payeeId: payee, amount: EUR(2000), paymentMethodId: 'pm_card_visa', description: 'Books' };
    const paid = await stack.service.ask('POST', '/api/payments', { token: holder.token, key, body });
    expect(paid).toMatchObject({ status: 422, body: { code: 'idempotency_key_reused' } });
  });

  test('needs a key', async () => {
    const { token } = await cardHolder(stack);
    expect(await stack.service.ask('POST', '/api/payment-methods/setup', { token })).toMatchObject({
      ...{ status: 400, body: { code: 'idempotency_key_required' } },
    });
  });

  test.each([
    ['an answer that is lost', { kind: 'drop_after', times: 2 }, 503, 1],
    ['a failure that Stripe keeps under its key', { kind: 'error_500' }, 503, 1],
    ['two failures', { kind: 'error_500', times: 2 }, 503, 1],
    ['a failure that took effect', { kind: 'error_500_after' }, 503, 2],
    ['being told to slow down', { kind: 'rate_limit_429', retryAfterSeconds: 3 }, 429, 1],
  ])('comes after %s, by the same request', async (_, fault, status, setups) => {
    const holder = await cardHolder(stack);
    const match = { method: 'POST', path: '/v1/setup_intents' };
    await stack.fault({ ...fault, match });
    const key = uuidv7();
    const first = await holder.setUp(key);
    expect([first.status, first.headers['retry-after']]).toEqual([status, expect.stringMatching(/^\d$/)]);
    let reply = first;
    for (let times = 0; times < 3 && reply.status !== 201; times += 1) reply = await holder.setUp(key);
    expect(reply.status).toBe(201);
    expect((await holder.setUp(key)).body).toEqual(reply.body);
    expect(await setupsOf(holder)).toHaveLength(setups);
  });

  test('is in progress for a second request under its key, while Stripe makes it', async () => {
    const holder = await cardHolder(stack);
    await stack.fault({ kind: 'hang', ms: 2_000, match: { path: '/v1/setup_intents' } });
    const replies = await Promise.all([holder.setUp('once'), holder.setUp('once')]);
    const [made, refused] = replies.toSorted((a, b) => a.status - b.status);
    expect(made?.status).toBe(201);
    expect(refused).toMatchObject({ status: 409, body: { code: 'idempotency_in_progress' } });
    expect(await setupsOf(holder)).toHaveLength(1);
  });

  test('that Stripe calls invalid is a fault of ours', async () => {
    const holder = await cardHolder(stack);
    await stack.fault({ kind: 'refuse_400', code: 'parameter_unknown', match: { path: '/v1/setup_intents' } });
    expect(await holder.setUp()).toMatchObject({ status: 500, body: { code: 'internal' } });
  });
});

describe('a student whose account is not there yet', () => {
  test('has no cards, and is told when to come again; the same request succeeds then', async () => {
    const holder = await cardHolder(stack, { isCustomer: false });
    const key = uuidv7();
    expect((await holder.list()).body).toEqual({ items: [] });
    expect((await holder.remove('pm_1')).status).toBe(404);
    const early = await holder.setUp(key);
    expect(early).toMatchObject({ status: 409, body: { code: 'invalid_state' }, headers: { 'retry-after': '2' } });
    await openAccount(stack, holder.id, 'student');
    expect((await holder.setUp(key)).status).toBe(201);
  });

  test('or is gone at Stripe has none, and is not told to come again', async () => {
    const holder = await cardHolder(stack);
    const card = await holder.save();
    await stack.stripe.customers.del(await customerOf(holder));
    expect((await holder.list()).body).toEqual({ items: [] });
    const refused = await holder.setUp();
    expect(refused).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
    expect(refused.headers).not.toHaveProperty('retry-after');
    expect((await holder.remove(card)).status).toBe(404);
  });
});

describe('removing a card', () => {
  test('takes it off the list for good; a second time there is none', async () => {
    const holder = await cardHolder(stack);
    const [kept, card] = [await holder.save(), await holder.save('pm_card_amex')];
    expect(await holder.remove(card)).toMatchObject({ status: 204, body: '' });
    expect((await holder.list()).body.items).toMatchObject([{ id: kept }]);
    expect(await holder.remove(card)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    await expect(stack.stripe.paymentMethods.attach(card, { customer: await customerOf(holder) })).rejects.toThrow(
      'may not be used again',
    );
  });

  test('is for one’s own: another’s, one that nobody keeps, and none at all look alike', async () => {
    const [holder, other] = [await cardHolder(stack), await cardHolder(stack)];
    const theirs = await other.save();
    const loose = (await stack.stripe.paymentMethods.create({ type: 'card', card: { token: 'tok_visa' } })).id;
    for (const card of [theirs, loose, 'pm_card_visa', 'pm_none', 'cus_1'])
      expect(await holder.remove(card)).toMatchObject({ status: 404, body: { code: 'not_found' } });
    expect((await other.list()).body.items).toMatchObject([{ id: theirs }]);
  });

  test('ten times at once takes it away once', async () => {
    const holder = await cardHolder(stack);
    const card = await holder.save();
    const replies = await Promise.all(Array.from({ length: 10 }, () => holder.remove(card)));
    expect(replies.map(({ status }) => status).toSorted()).toEqual([204, ...Array(9).fill(404)]);
  });

  test('takes nothing away while Stripe is out of reach, and a repeat does', async () => {
    const holder = await cardHolder(stack);
    const card = await holder.save();
    await stack.fault({ kind: 'error_500', match: { path: '/v1/payment_methods/*/detach' } });
    expect(await holder.remove(card)).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
    expect((await holder.list()).body.items).toHaveLength(1);
    expect((await holder.remove(card)).status).toBe(204);
  });
});

test('a tutor who saved cards as a student looks at them and forgets them, and saves no more', async () => {
  const holder = await cardHolder(stack);
  const card = await holder.save();
  const token = await stack.service.userToken({ id: holder.id, role: 'tutor' });
  const ask = (method: string, path: string) => stack.service.ask(method, path, { token, key: uuidv7() });
  expect((await ask('GET', '/api/payment-methods')).body.items).toMatchObject([{ id: card }]);
  expect(await ask('POST', '/api/payment-methods/setup')).toMatchObject({ status: 403 });
  expect((await ask('DELETE', `/api/payment-methods/${card}`)).status).toBe(204);
  expect((await holder.list()).body.items).toEqual([]);
  const neverOne = await stack.service.userToken({ role: 'tutor' });
  expect((await stack.service.ask('GET', '/api/payment-methods', { token: neverOne })).body.items).toEqual([]);
});

test('cards are nothing for administrators, and not for anybody', async () => {
  const admin = await stack.service.userToken({ role: 'admin' });
  for (const [method, path] of [
    ['GET', '/api/payment-methods'],
    ['POST', '/api/payment-methods/setup'],
    ['DELETE', '/api/payment-methods/pm_1'],
  ] as const) {
    expect((await stack.service.ask(method, path, { key: uuidv7() })).status).toBe(401);
    expect(await stack.service.ask(method, path, { token: admin, key: uuidv7() })).toMatchObject({
      ...{ status: 403, body: { code: 'forbidden' } },
    });
  }
});
