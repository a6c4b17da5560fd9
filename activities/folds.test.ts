import { uuidv7 } from '../platform/ids';
import { type StandIns, startStandIns } from '../tests/support/stand-ins';
import { createFoldActivities } from './folds';

let services: StandIns;
beforeAll(async () => {
  services = await startStandIns();
});
afterAll(() => services.close());

test('each context is asked to hold its own rows to their events, and says which are not', async () => {
  const act = createFoldActivities(services.clients);
  const none = { checked: 2, different: [] };
  const some = { checked: 3, different: [{ kind: 'payout', id: uuidv7(), columns: ['status'] }] };
  services.answers.checkBookingFolds = none;
  services.answers.checkPaymentFolds = some;
  const check = { limit: 1_000, seed: 7 };
  expect([await act.checkBookingFolds(check), await act.checkPaymentFolds(check)]).toEqual([none, some]);
  expect(services.calls).toMatchObject([
    { operation: 'checkBookingFolds', body: check },
    { operation: 'checkPaymentFolds', body: check },
  ]);
});
