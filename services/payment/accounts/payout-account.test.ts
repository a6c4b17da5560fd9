import { uuidv7 } from '../../../platform/ids';
import { type PaymentStack, startPaymentStack } from '../../../tests/support/payment';
import { ask } from '../../../tests/support/service';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());
afterEach(() => stack.noFaults());

/** A tutor, and what they ask of their account. */
async function tutor({ onboarding = 'required', opened = true } = {}) {
  await stack.control('POST', '/settings', { onboarding });
  const id = uuidv7();
  const details = { userId: id, role: 'tutor', email: `${id}@example.org`, name: 'Ada' };
  if (opened) expect((await stack.post('/accounts', `user:${id}/account`, details)).status).toBe(201);
  const token = await stack.service.userToken({ id, role: 'tutor' });
  const { accounts } = await stack.state();
  const at = accounts.find(({ metadata }: { metadata?: { userId?: string } }) => metadata?.userId === id);
  return {
    ...{ id, token, account: String(at?.id) },
    see: () => stack.service.ask('GET', '/api/payouts/account', { token }),
    onboard: () => stack.service.ask('POST', '/api/payouts/account/onboarding', { token }),
  };
}

const BANK = { currency: 'eur', country: 'DE', account_number: 'DE89370400440532013000' };

test('a tutor says on a page of Stripe who they are, and can be paid out then', async () => {
  const { account, see, onboard } = await tutor();
  const before = await see();
  expect(before).toMatchObject({
    status: 200,
    body: { status: 'incomplete', disabledReason: 'requirements.past_due' },
  });
  expect(before.body.currentlyDue).toContain('external_account');

  const link = await onboard();
  expect(link.status).toBe(201);
  expect(Date.parse(link.body.expiresAt)).toBeGreaterThan(Date.now());
  expect((await ask(link.body.url, 'GET', '')).status).toBe(200);
  await stack.control('POST', `/accounts/${account}/onboarding`, { banks: [BANK] });
  expect((await see()).body).toEqual({ status: 'enabled', currentlyDue: [], disabledReason: null });
});

test('each link is another, and an old one leads to a page of ours that says so', async () => {
  const { onboard } = await tutor();
  const [first, second] = [await onboard(), await onboard()];
  expect(second.body.url).not.toBe(first.body.url);
  await ask(first.body.url, 'GET', '');
  const again = await ask(first.body.url, 'GET', '');
  expect([again.status, again.headers.location]).toEqual([
    303,
    expect.stringContaining('/api/payouts/account/link-expired'),
  ]);
});

test('Stripe wants to know more later: restricted, with what it wants', async () => {
  const { account, see } = await tutor();
  await stack.control('POST', `/accounts/${account}/onboarding`, { banks: [BANK] });
  const due = ['individual.verification.document'];
  await stack.control('POST', `/accounts/${account}/requirements`, { due });
  expect((await see()).body).toEqual({
    ...{ status: 'restricted', currentlyDue: due, disabledReason: 'requirements.past_due' },
  });
});

test('who has no account at Stripe is told so', async () => {
  const { see, onboard } = await tutor({ opened: false });
  expect((await see()).body).toEqual({ status: 'not_started', currentlyDue: [], disabledReason: null });
  expect(await onboard()).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
});

test('an account that is gone at Stripe is as none', async () => {
  const { account, see, onboard } = await tutor();
  await stack.stripe.accounts.del(account);
  expect((await see()).body.status).toBe('not_started');
  expect((await onboard()).status).toBe(409);
});

test('while Stripe is away nothing is made up', async () => {
  const { see, onboard } = await tutor();
  await stack.fault({ kind: 'error_500', times: 2 });
  for (const reply of [await see(), await onboard()])
    expect(reply).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
});

test('it is the tutor’s own alone, and no student’s', async () => {
  const student = await stack.service.userToken({ role: 'student' });
  for (const [method, path] of [
    ['GET', '/api/payouts/account'],
    ['POST', '/api/payouts/account/onboarding'],
  ] as const) {
    expect((await stack.service.ask(method, path)).status).toBe(401);
    expect((await stack.service.ask(method, path, { token: student })).status).toBe(403);
  }
});

test.each([
  ['/api/payouts/account/onboarded', 'Stripe has what you told it'],
  ['/api/payouts/account/link-expired', 'This link does not work any more'],
])('Stripe sends people back to %s, which says what is true for everybody', async (path, title) => {
  const { status, body, headers } = await stack.service.ask('GET', path);
  expect([status, headers['content-type']]).toEqual([200, expect.stringContaining('text/html')]);
  expect(body).toContain(`<h1>${title}</h1>`);
  expect(String(headers['content-security-policy'])).toContain("default-src 'none'");
});
