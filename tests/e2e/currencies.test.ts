import { bookingFacts, NO_MONEY } from '../support/booking-facts';
import { createMarketplace, type Marketplace, type Person, type Tutor } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { sweepNow } from '../support/sweep';

jest.setTimeout(400_000);

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

const found = async (query: string) => {
  const { body } = await platform.ask('GET', `/api/tutors?limit=100${query}`);
  return body.items.map(({ id }: { id: string }) => id);
};

test('a booking whose charge Stripe calls invalid is told as a fault of ours, and leaves nothing', async () => {
  const match = { method: 'POST', path: '/v1/payment_intents' };
  await platform.sandbox('POST', '/sandbox/faults', { kind: 'refuse_400', code: 'parameter_unknown', match });
  const reply = await market.book({ student, tutor });
  expect(reply).toMatchObject({ status: 502, body: { code: 'payment_rejected', bookingId: expect.any(String) } });
  expect(reply.body).not.toHaveProperty('declineCode');
  const { bookingId } = reply.body;
  await market.untilBooking(bookingId, 'cancelled');
  await platform.temporal.workflow.getHandle(`booking:${bookingId}`).result();
  expect(await bookingFacts(platform, bookingId)).toMatchObject({
    booking: 'cancelled/platform_unavailable',
    slot: null,
    stripe: NO_MONEY,
    ledger: {},
  });
  const told = await eventually('the student is written to', async () => {
    const mails = await platform.mails();
    return mails.find(
      ({ recipients, subject }) => recipients.includes(student.email) && /^Not booked/.test(subject ?? ''),
    );
  });
  expect(told.text).toContain('a technical problem on our side');
  expect(told.text).not.toMatch(/card was declined|did not accept the payment/);
});

test('a tutor of before whose price cannot be charged is booked by nobody, unlisted by the sweep and written to once', async () => {
  const before = await market.tutor({ instant: true });
  // As the code of before has stored it.
  await platform.database('tutoring')`
    update tutor_pricing_options set currency = 'XDR', judged_under = null where tutor_id = ${before.id}`;
  expect(await market.book({ student, tutor: before })).toMatchObject({ status: 404, body: { code: 'not_found' } });

  // It may have come by itself before.
  await sweepNow(platform);
  expect(await found('')).toContain(tutor.id);
  expect(await found('')).not.toContain(before.id);
  expect((await sweepNow(platform)).prices).toEqual({ found: 0, started: 0, refused: 0 });

  const toThem = async () => {
    const mails = await platform.mails();
    return mails.filter(({ recipients, subject }) => recipients.includes(before.email) && /prices/.test(subject ?? ''));
  };
  await eventually('the tutor is written to', async () => (await toThem()).length > 0);
  const [mail, ...more] = await toThem();
  expect(more).toEqual([]);
  expect(mail?.text).toContain('We do not take payments in XDR');

  const options = [{ kind: 'hourly', price: { amount: 5_000, currency: 'GBP' } }];
  const set = await platform.ask('PUT', '/api/tutors/pricing', { token: before.token, body: { options } });
  expect(set.status).toBe(200);
  expect(await found('&currency=GBP&sort=price_asc')).toEqual([before.id]);
});
