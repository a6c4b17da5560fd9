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

const [payoutId, payeeId] = [uuidv7(), uuidv7()];
const amount = { amount: 4500, currency: 'EUR' };
const key = `payout:${payoutId}/news`;

/** Payment says that the payout stands so. @returns the templates of the notices that are recorded of it */
async function told(
  status: string,
  reason: string | null,
  news?: Parameters<PayoutActivities['notifyPayout']>[0]['news'],
) {
  services.forget();
  services.answers.getPayoutDetails = {
    payout: {
      ...{ payoutId, payeeId, version: 3, status, reason, amount, transferred: false, sent: false, closed: false },
      ...{ arrivedAt: null, expectedAt: null },
    },
    ...{ text: 'What became of it.', failureText: null, lines: [], others: 0 },
  };
  services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
  await act.notifyPayout({ payoutId, key, ...(news && { news }) });
  return services.calls
    .filter(({ operation }) => operation === 'recordNotification')
    .map(({ key: under, body }) => ({ key: under, body }));
}
const says = (template: string, data: object = {}) => [
  { key, body: expect.objectContaining({ template, recipientId: payeeId, data: expect.objectContaining(data) }) },
];

test.each([
  ['awaiting_onboarding', 'pending', 'awaiting_onboarding', 'payout_waits', { waitsFor: 'awaiting_onboarding' }],
  ['awaiting_bank_account', 'pending', 'awaiting_bank_account', 'payout_waits', { waitsFor: 'awaiting_bank_account' }],
  ['completed', 'completed', null, 'payout_completed', { amount }],
  ['over', 'failed', 'refused_by_bank', 'payout_failed', { why: 'What became of it.' }],
  ['over', 'cancelled', 'not_onboarded', 'payout_failed', {}],
  ['over', 'completed', null, 'payout_completed', {}],
] as const)('a payee is told %s of a payout that is %s (%s)', async (news, status, reason, template, data) => {
  expect(await told(status, reason, news)).toEqual(says(template, data));
});

test.each([
  ['is at the bank', 'completed', 'failed', 'refused_by_bank'],
  ['waits for them', 'awaiting_onboarding', 'pending', 'awaiting_bank_account'],
  ['waits for a bank account', 'awaiting_bank_account', 'processing', null],
  ['waits for them', 'awaiting_onboarding', 'cancelled', 'cancelled_by_operator'],
  ['waits for them', 'awaiting_onboarding', 'completed', null],
] as const)(
  'that it %s a payee is not told (%s) once it is %s (%s): that is told by itself',
  async (_, news, status, reason) => {
    expect(await told(status, reason, news)).toEqual([]);
  },
);

test.each([
  ['completed', null, 'payout_completed'],
  ['failed', 'refused_by_bank', 'payout_failed'],
  ['pending', 'awaiting_onboarding', 'payout_waits'],
] as const)(
  'a saga of before, which does not say what it tells, tells what is so: %s',
  async (status, reason, template) => {
    expect(await told(status, reason)).toEqual(says(template));
  },
);

test('of a payout on its way there is nothing to tell', async () => {
  expect(await told('processing', null)).toEqual([]);
});
