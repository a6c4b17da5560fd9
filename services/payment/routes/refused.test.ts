import { uuidv7 } from '../../../platform/ids';
import { EUR, type PaymentStack, startPaymentStack } from '../../../tests/support/payment';
import type { Reply } from '../../../tests/support/service';

interface Person {
  id: string;
  token: string;
}

// Forty refunds at once are twenty sagas' first steps at Stripe.
jest.setTimeout(60_000);

let stack: PaymentStack;

beforeAll(async () => {
  stack = await startPaymentStack({
    onStart: ({ workflowId }) => {
      const [kind, id] = workflowId.split(':');
      const step = kind === 'payment' ? 'charge' : 'submit';
      void stack.post(`/${kind}s/${id}/${step}`, `${workflowId}/${step}`);
    },
  });
});
afterAll(() => stack.close());

async function person(role: 'student' | 'tutor' | 'admin'): Promise<Person> {
  const id = uuidv7();
  const account = { userId: id, role, email: `${id}@example.org`, name: 'N' };
  if (role !== 'admin') await stack.post('/accounts', `user:${id}/account`, account);
  return { id, token: await stack.service.userToken({ id, role }) };
}

function pay(payer: Person, payee: Person): Promise<Reply> {
  const body = { payeeId: payee.id, amount: EUR(2000), paymentMethodId: 'pm_card_visa', description: 'Two books' };
  return stack.service.ask('POST', '/api/payments', { token: payer.token, key: uuidv7(), body });
}

const refund = ({ token }: Person, paymentId: string, amount = EUR(1), key = uuidv7()): Promise<Reply> =>
  stack.service.ask('POST', `/api/payments/${paymentId}/refund`, {
    token,
    key,
    body: { amount, reason: 'A book was missing' },
  });

test('a student cannot be paid, having no account to pay out to', async () => {
  const [one, other] = [await person('student'), await person('student')];
  const reply = await pay(one, other);
  expect(reply).toMatchObject({ status: 422, body: { code: 'validation_failed', errors: [{ path: 'payeeId' }] } });
  expect(await stack.service.database.sql`select from payments where payee_id = ${other.id}`).toEqual([]);
  const tutor = await person('tutor');
  expect((await pay(tutor, await person('tutor'))).status).toBe(201);
});

test('a payee gives one payment back twenty times, also if they ask forty times at once; an admin the rest', async () => {
  const [payer, payee, admin] = [await person('student'), await person('tutor'), await person('admin')];
  const { body: payment } = await pay(payer, payee);
  const replies = await Promise.all(Array.from({ length: 40 }, () => refund(payee, payment.id)));
  const refusals = replies.filter(({ status }) => status !== 201);
  expect(refusals).toHaveLength(20);
  for (const reply of refusals) expect(reply).toMatchObject({ status: 409, body: { code: 'too_many_refunds' } });
  const key = uuidv7();
  const refusal = await refund(payee, payment.id, EUR(2), key);
  expect((await refund(payee, payment.id, EUR(2), key)).body).toEqual(refusal.body);
  expect(await refund(admin, payment.id, EUR(1980))).toMatchObject({ status: 201, body: { amount: EUR(1980) } });
});

test('refunds that a saga asked for do not count', async () => {
  const [payer, payee] = [await person('student'), await person('tutor')];
  const { body: payment } = await pay(payer, payee);
  for (let n = 0; n < 20; n++) {
    const wanted = { amount: EUR(1), reason: 'Booking cancelled', requestedBy: null };
    expect((await stack.post(`/payments/${payment.id}/refunds`, uuidv7(), wanted)).status).toBe(201);
  }
  expect((await refund(payee, payment.id)).status).toBe(201);
});
