import { historyOf, textOf } from '../../dev/chaos/histories';
import { uuidv7 } from '../../platform/ids';
import { contradictionsAtRest } from '../support/at-rest';
import { createMarketplace, type Marketplace, type Person, PRICE, type Tutor } from '../support/marketplace';
import { startTestPlatform, type TestPlatform } from '../support/platform';
import { ask } from '../support/service';

// A saved card, from the page on which its number is typed to the booking that it pays, through the gateway.

jest.setTimeout(120_000);

let platform: TestPlatform;
let market: Marketplace;
let student: Person;
let stranger: Person;
let tutor: Tutor;

beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
  [student, stranger, tutor] = await Promise.all([
    market.student(),
    market.student(),
    market.tutor({ instant: false }),
  ]);
});
afterAll(() => platform?.stop());

/** Asks Stripe for something as the frame in which a card is typed does. */
async function inFrame(path: string, form: Record<string, string>) {
  const { body: config } = await platform.ask('GET', '/api/stripe/config');
  const { status, body } = await ask(new URL(config.scriptUrl).origin, 'POST', path, {
    headers: {
      authorization: `Bearer ${config.publishableKey}`,
      'content-type': 'application/x-www-form-urlencoded',
    },
    raw: new URLSearchParams(form).toString(),
  });
  expect(status).toBe(200);
  return body;
}

const cards = async ({ token }: Person) => (await platform.ask('GET', '/api/payment-methods', { token })).body.items;
const remove = ({ token }: Person, card: string) =>
  platform.ask('DELETE', `/api/v1/payment-methods/${card}`, { token });

test('a card that a student types is saved, books, is nobody else’s, and can be removed while it is authorised', async () => {
  const setup = await platform.ask('POST', '/api/payment-methods/setup', { token: student.token, key: uuidv7() });
  expect(setup.status).toBe(201);
  const { clientSecret } = setup.body;
  const typed = await inFrame('/v1/payment_methods', {
    ...{ type: 'card', 'card[number]': '5555555555554444', 'card[cvc]': '123' },
    ...{ 'card[exp_month]': '11', 'card[exp_year]': '2031' },
  });
  await inFrame(`/v1/setup_intents/${clientSecret.split('_secret_')[0]}/confirm`, {
    ...{ client_secret: clientSecret, payment_method: typed.id },
  });
  const [saved, ...more] = await cards(student);
  expect(more).toEqual([]);
  expect(saved).toMatchObject({ brand: 'mastercard', last4: '4444', expMonth: 11, expYear: 2031 });

  const theft = await market.book({ student: stranger, tutor, card: saved.id });
  expect(theft).toMatchObject({ status: 402, body: { code: 'payment_declined' } });
  expect(await cards(stranger)).toEqual([]);
  expect((await remove(stranger, saved.id)).status).toBe(404);

  const booked = await market.book({ student, tutor, card: saved.id });
  expect(booked).toMatchObject({ status: 201, body: { payment: { status: 'authorized' } } });
  expect((await remove(student, saved.id)).status).toBe(204);
  expect(await cards(student)).toEqual([]);
  const confirmed = await market.confirm(tutor, booked.body.id);
  expect(confirmed).toMatchObject({
    status: 200,
    body: { status: 'confirmed', payment: { status: 'captured', captured: { amount: PRICE } } },
  });

  const history = await historyOf(platform.temporal, `booking:${booked.body.id}`);
  for (const word of [clientSecret, '5555555555554444', 'mastercard', 'cus_'])
    expect(textOf(history)).not.toContain(word);
  expect(await contradictionsAtRest(platform)).toEqual([]);
});
