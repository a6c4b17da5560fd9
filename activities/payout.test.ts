import { uuidv7 } from '../platform/ids';
import { type StandIns, startStandIns } from '../tests/support/stand-ins';
import { createPayoutActivities, type PayoutActivities } from './payout';

let services: StandIns;
let act: PayoutActivities;
beforeAll(async () => {
  services = await startStandIns();
  act = createPayoutActivities(services.clients);
});
afterAll(() => services.close());
beforeEach(() => services.forget());

const [payoutId, payeeId] = [uuidv7(), uuidv7()];
const payout = {
  ...{ payoutId, payeeId, version: 4, status: 'failed', reason: 'refused_by_bank', transferred: true, sent: true },
  amount: { amount: 3_400, currency: 'EUR' },
  ...{ arrivedAt: '2030-01-01T10:00:00.000Z', expectedAt: null, closed: false },
};
const user = {
  ...{ id: payeeId, role: 'tutor', status: 'active', email: 'tina@example.org', firstName: 'Tina', lastName: 'Tutor' },
  ...{ emailVerified: true, timeZone: 'Europe/Berlin', locale: 'de-DE' },
};

test('of one that came back before it could be told that it had arrived is told once, that it came back', async () => {
  services.answers.getPayoutDetails = { payout, text: 'No.', failureText: 'Closed.', lines: [], others: 3_400 };
  services.answers.internalGetUser = user;
  services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
  for (const notice of ['completed', 'over']) await act.notifyPayout({ payoutId, key: `payout:${payoutId}/${notice}` });
  const recorded = services.calls.filter(({ operation }) => operation === 'recordNotification');
  expect(new Set(recorded.map(({ key }) => key))).toEqual(new Set([`payout:${payoutId}/over`]));
  expect(recorded[0]?.body).toMatchObject({ template: 'payout_failed', data: { why: 'No. Closed.' } });
});
