import { uuidv7 } from '../platform/ids';
import { startStandIns } from '../tests/support/stand-ins';
import { createTutorAccountActivities } from './tutor-account';

let standIns: Awaited<ReturnType<typeof startStandIns>>;
beforeAll(async () => {
  standIns = await startStandIns();
});
beforeEach(() => void standIns.calls.splice(0));
afterAll(() => standIns.close());

const [requestId, userId] = [uuidv7(), uuidv7()];
const step = (name: string) => ({ requestId, userId, key: `tutor-account:${requestId}/${name}` });
const undo = (name: string) => ({ requestId, userId, key: `tutor-account:${requestId}/${name}/undo` as const });
const user = {
  ...{ id: userId, email: 'ada@example.com', role: 'student', status: 'active', emailVerified: true },
  ...{ firstName: 'Ada', lastName: 'Lovelace', timeZone: 'Europe/Vienna', locale: 'de' },
};

test('name and address are asked of identity and handed on; none comes back', async () => {
  Object.assign(standIns.answers, {
    ...{ internalGetUser: user, createAccount: { userId }, registerTutor: { id: userId } },
  });
  const act = createTutorAccountActivities(standIns.clients);
  const returned = [
    await act.beginTutorAccount(step('begin')),
    await act.openPayeeAccount(step('account')),
    await act.makeTutorProfile(step('profile')),
    await act.becomeTutor(step('role')),
  ];
  expect(returned).toEqual([undefined, undefined, undefined, { tutor: true }]);
  const called = standIns.calls.filter(({ operation }) => operation !== 'internalGetUser');
  expect(called.map(({ operation, key }) => [operation, key])).toEqual([
    ['internalBeginTutorAccount', step('begin').key],
    ['createAccount', step('account').key],
    ['registerTutor', step('profile').key],
    ['internalBecomeTutor', step('role').key],
  ]);
  expect(called.flatMap(({ body }) => body ?? [])).toEqual([
    { userId, accountId: requestId, role: 'tutor', email: 'ada@example.com', name: 'Ada Lovelace' },
    { userId, displayName: 'Ada Lovelace', timeZone: 'Europe/Vienna' },
  ]);
});

test('every undo goes to the service of its step; of accounts the one of this request is removed', async () => {
  standIns.answers.removeAccount = { userId: requestId };
  const act = createTutorAccountActivities(standIns.clients);
  await act.removeTutorProfile(undo('profile'));
  await act.closePayeeAccount(undo('account'));
  await act.refuseTutorAccount(undo('begin'));
  expect(standIns.calls.map(({ path, key }) => `${path} ${key}`)).toEqual([
    `/internal/tutors/${userId}/remove tutor-account:${requestId}/profile/undo`,
    `/internal/accounts/${requestId}/remove tutor-account:${requestId}/account/undo`,
    `/internal/tutor-accounts/${requestId}/refuse tutor-account:${requestId}/begin/undo`,
  ]);
});
