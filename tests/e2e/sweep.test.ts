import { workflowTroubles } from '../../dev/chaos/reconciliation';
import { uuidv7 } from '../../platform/ids';
import { createMarketplace, type Marketplace, type Person, type Tutor } from '../support/marketplace';
import { askPdf, wordsOf } from '../support/pdf';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import type { Reply } from '../support/service';
import { sweepNow } from '../support/sweep';

jest.setTimeout(240_000);

const EUR = (amount: number) => ({ amount, currency: 'EUR' });
const REFUNDS = 4;

let platform: TestPlatform;
let market: Marketplace;
let student: Person;
let tutor: Tutor;
beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
  [student, tutor] = await Promise.all([market.student(), market.tutor({ instant: true })]);
});
afterAll(() => platform?.stop());

const pay = (key = uuidv7()): Promise<Reply> =>
  platform.ask('POST', '/api/payments', {
    token: student.token,
    key,
    body: { payeeId: tutor.id, amount: EUR(2000), paymentMethodId: 'pm_card_visa', description: 'Two books' },
  });

const refund = (paymentId: string, amount: number): Promise<Reply> =>
  platform.ask('POST', `/api/payments/${paymentId}/refund`, {
    token: tutor.token,
    key: uuidv7(),
    body: { amount: EUR(amount), reason: 'A book was missing' },
  });

const register = (email: string) =>
  platform.ask('POST', '/api/auth/register', {
    body: { email, password: market.password, role: 'student', firstName: 'Grace', lastName: 'Hopper' },
  });

test('what was asked for while Temporal was away is made or refused, though no client ever comes back', async () => {
  const payments = await Promise.all(Array.from({ length: REFUNDS }, () => pay()));
  const paid = payments.map(({ body }) => String(body.id));
  expect(payments.map(({ status }) => status)).toEqual(paid.map(() => 201));
  const keys = { booking: uuidv7(), payment: uuidv7() };
  const email = `${uuidv7()}@person.example`;
  const at = market.nextHour();
  const book = () => market.book({ student, tutor, at, key: keys.booking });

  await platform.without('temporal', async () => {
    // Each is tried for five seconds.
    const replies = await Promise.all([
      ...paid.map((id) => refund(id, 500)),
      book(),
      pay(keys.payment),
      register(email),
    ]);
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([503]));
  });

  // As if the clients had been gone for a quarter of an hour.
  const aged = "interval '15 minutes'";
  await platform.database('payment').unsafe(`
    update payments set created_at = created_at - ${aged} where saga_started_at is null and subject_kind = 'direct';
    update refunds set created_at = created_at - ${aged} where saga_started_at is null;
    update idempotency_keys set created_at = created_at - ${aged}, leased_until = leased_until - ${aged}`);
  await platform.database('booking').unsafe(`
    update booking_requests set created_at = created_at - ${aged} where saga_started_at is null;
    update idempotency_keys set created_at = created_at - ${aged}, leased_until = leased_until - ${aged}`);
  await platform.database('identity').unsafe(`update users set attempt_until = attempt_until - ${aged}`);

  const { earnings, payouts, receipts, ...swept } = await sweepNow(platform);
  expect([earnings, payouts, receipts]).toEqual([
    { released: 0, left: 0 },
    { asked: 0, returned: 0 },
    { issued: expect.any(Number), creditNotes: expect.any(Number), left: 0 },
  ]);
  for (const counts of Object.values(swept))
    expect(counts).toEqual({ found: expect.any(Number), started: expect.any(Number), refused: expect.any(Number) });

  await eventually('every refund is made', async () => {
    const rows = await platform.database('payment')`
      select from refunds where status = 'succeeded' and amount = 500 and payment_id = any(${paid}::uuid[])`;
    return rows.length === REFUNDS;
  });
  for (const id of paid) expect((await refund(id, 1500)).status).toBe(201);

  expect(await book()).toMatchObject({ status: 409, body: { code: 'request_expired' } });
  expect(await pay(keys.payment)).toMatchObject({ status: 409, body: { code: 'request_expired' } });
  await eventually('the account can sign in', async () => {
    const reply = await platform.ask('POST', '/api/auth/login', { body: { email, password: market.password } });
    return reply.status === 200;
  });

  expect(await sweepNow(platform)).toEqual({
    bookings: { found: 0, started: 0, refused: 0 },
    payments: { found: 0, started: 0, refused: 0 },
    earnings: { released: 0, left: 0 },
    payouts: { asked: 0, returned: 0 },
    receipts: { issued: 0, creditNotes: expect.any(Number), left: 0 },
    signUps: { found: 0, started: 0, refused: 0 },
    accountMails: { found: 0, started: 0, refused: 0 },
    prices: { found: 0, started: 0, refused: 0 },
    emailChanges: { found: 0, started: 0, refused: 0 },
    tutorAccounts: { found: 0, started: 0, refused: 0 },
    suspensions: { found: 0, started: 0, refused: 0 },
  });
});

test('a booking costs the sweep nothing: its saga marks it', async () => {
  const { status, body } = await market.book({ student, tutor });
  expect(status).toBe(201);
  const [row] = await platform.database('booking')`select saga_started_at from booking_requests where id = ${body.id}`;
  expect(row?.saga_started_at).toBeInstanceOf(Date);
});

test('a payment has its receipt and a refund its credit note once the sweep ran, and no history names anybody', async () => {
  const { status, body } = await pay();
  expect(status).toBe(201);
  const refunded = await refund(body.id, 500);
  expect(refunded.status).toBe(201);
  await eventually('the refund is made', async () => {
    const [row] = await platform.database('payment')`select status from refunds where id = ${refunded.body.id}`;
    return row?.status === 'succeeded';
  });
  expect(await sweepNow(platform)).toMatchObject({ receipts: { left: 0 } });

  const receipt = `${platform.gatewayUrl}/api/payments/${body.id}/receipt.pdf`;
  const creditNote = `${platform.gatewayUrl}/api/refunds/${refunded.body.id}/credit-note.pdf`;
  for (const url of [receipt, creditNote]) {
    for (const { token } of [student, tutor]) {
      const reply = await askPdf(url, token);
      expect([reply.status, reply.headers['content-type']]).toEqual([200, 'application/pdf']);
      const words = await wordsOf(reply.body);
      for (const { firstName, lastName } of [student, tutor]) expect(words).toContain(`${firstName} ${lastName}`);
    }
    const [{ token }, { headers }] = [await market.student(), await askPdf(url, student.token)];
    expect((await askPdf(url, token)).status).toBe(404);
    const known = await askPdf(url, student.token, { 'if-none-match': String(headers.etag) });
    expect([known.status, known.body.length]).toEqual([304, 0]);
  }
  // Who signed up last is still being welcomed.
  await eventually('no saga is in trouble, or under way', async () => {
    return (await workflowTroubles(platform, market.people)).troubles.length === 0;
  });
});
