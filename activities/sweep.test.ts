import { ProblemError } from '../kernel/errors';
import { uuidv7 } from '../platform/ids';
import { type StandIns, startStandIns } from '../tests/support/stand-ins';
import { createSweepActivities, type SweepActivities } from './sweep';

let services: StandIns;
let act: SweepActivities;
beforeAll(async () => {
  services = await startStandIns();
  act = createSweepActivities(services.clients);
});
afterAll(() => services.close());
beforeEach(() => services.forget());

const tutorId = uuidv7();
const refusedAt = '2030-01-01T10:00:00.123Z';
const user = {
  ...{ id: tutorId, role: 'tutor', status: 'active', email: 'tina@example.org', firstName: 'Tina', lastName: 'Tutor' },
  ...{ emailVerified: true, timeZone: 'Europe/Berlin', locale: 'de-DE' },
};
const price = { amount: 4500, currency: 'XDR' };

test('a tutor whose prices cannot be charged is written to, once per refusal, and noted as told', async () => {
  services.answers.sweepPrices = { unlisted: 3, untold: [{ tutorId, refusedAt, price, because: 'currency' }] };
  services.answers.internalGetUser = user;
  services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
  expect(await act.sweepPrices()).toEqual({ found: 1, started: 0, refused: 3 });
  expect(services.calls.map(({ operation }) => operation)).toEqual([
    'sweepPrices',
    'internalGetUser',
    'recordNotification',
    'markPricesTold',
  ]);
  expect(services.calls[2]).toMatchObject({
    key: `tutor:${tutorId}/prices-refused/${refusedAt}`,
    body: {
      template: 'prices_refused_tutor',
      recipientId: tutorId,
      email: 'tina@example.org',
      data: { refusedPrice: price, because: 'currency' },
    },
  });
  expect(services.calls[3]?.body).toEqual({ refusedAt });
});

test('who could not be written to is not noted as told', async () => {
  services.answers.sweepPrices = { unlisted: 0, untold: [{ tutorId, refusedAt, price, because: 'amount' }] };
  services.answers.internalGetUser = user;
  services.answers.recordNotification = new ProblemError('upstream_unavailable');
  await expect(act.sweepPrices()).rejects.toMatchObject({ code: 'upstream_unavailable' });
  expect(services.calls.map(({ operation }) => operation)).not.toContain('markPricesTold');
});
