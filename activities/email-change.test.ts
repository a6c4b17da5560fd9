import { ProblemError } from '../kernel/errors';
import { uuidv7 } from '../platform/ids';
import { type StandIns, startStandIns } from '../tests/support/stand-ins';
import { createEmailChangeActivities } from './email-change';

let standIns: StandIns;
let act: ReturnType<typeof createEmailChangeActivities>;

beforeAll(async () => {
  standIns = await startStandIns();
  act = createEmailChangeActivities(standIns.clients.limited());
});

const requestId = uuidv7();
const userId = uuidv7();
const [from, to] = ['ada@example.com', 'ada@lovelace.example'];
const expiresAt = '2030-01-01T10:00:00.000Z';
const step = (name: string) => ({ requestId, key: `email-change:${requestId}/${name}` });
const link = { userId, token: 't0k3n', expiresAt };
const contact = {
  userId,
  email: from,
  emailVerified: true,
  name: 'Ada',
  locale: 'en',
  timeZone: 'UTC',
  asOf: expiresAt,
};

beforeEach(() => {
  standIns.forget();
  Object.assign(standIns.answers, {
    internalGetEmailChangeAddresses: { userId, from, to },
    internalGetContact: contact,
    bringContacts: { changed: 0 },
    recordNotification: { id: uuidv7(), status: 'pending' },
  });
});

afterAll(() => standIns.close());

const called = (operation: string) => standIns.calls.filter((call) => call.operation === operation);

test('notification gets to know the contact before both addresses, and nothing of either is returned', async () => {
  expect(await act.proposeAddress(step('propose'))).toBeUndefined();
  expect(standIns.calls).toMatchObject([
    { operation: 'internalGetEmailChangeAddresses' },
    { operation: 'internalGetContact' },
    { operation: 'bringContacts', body: { items: [contact] } },
    {
      ...{ operation: 'proposeAddress', key: `email-change:${requestId}/propose` },
      path: `/internal/address-changes/${requestId}/propose`,
      body: { userId, emailBefore: from, email: to },
    },
  ]);
});

test('the link that confirms goes to the new address, a warning without it to the present one', async () => {
  standIns.answers.internalIssueConfirmLink = { link };
  expect(await act.askToConfirm(step('ask'))).toBeUndefined();
  expect(called('internalIssueConfirmLink')).toMatchObject([{ key: `email-change:${requestId}/ask` }]);
  const page = 'https://tutorconnect.example/api/auth';
  expect(called('recordNotification').map(({ key, body }) => ({ key, body }))).toEqual([
    {
      key: `email-change:${requestId}/ask/present`,
      body: {
        ...{ template: 'email_change_asked', recipientId: userId, usefulUntil: expiresAt },
        data: { changeId: requestId, forgotUrl: `${page}/forgot` },
      },
    },
    {
      key: `email-change:${requestId}/ask/proposed`,
      body: {
        ...{ template: 'email_change_confirm', recipientId: userId, usefulUntil: expiresAt },
        data: { changeId: requestId, confirmUrl: `${page}/confirm-email-change?token=t0k3n` },
      },
    },
  ]);
});

test('where there is nothing to confirm nobody is written to', async () => {
  standIns.answers.internalIssueConfirmLink = { link: null };
  await act.askToConfirm(step('ask'));
  expect(called('recordNotification')).toEqual([]);
});

test('the link that takes a change back goes to the address of before, and the new one is told', async () => {
  standIns.answers.internalIssueRevertLink = { link };
  expect(await act.tellOfEmailChange(step('tell'))).toBeUndefined();
  const revertUrl = 'https://tutorconnect.example/api/auth/revert-email-change?token=t0k3n';
  expect(called('recordNotification')).toMatchObject([
    {
      key: `email-change:${requestId}/tell/before`,
      body: { template: 'email_changed_revert', usefulUntil: expiresAt, data: { changeId: requestId, revertUrl } },
    },
    { key: `email-change:${requestId}/tell/present`, body: { template: 'email_changed', usefulUntil: null } },
  ]);
});

test('of a change that cannot be taken back only the new address is told', async () => {
  standIns.answers.internalIssueRevertLink = { link: null };
  await act.tellOfEmailChange(step('tell'));
  expect(called('recordNotification')).toMatchObject([{ body: { template: 'email_changed', recipientId: userId } }]);
});

test('the address of before is restored by what identity says of the change', async () => {
  await act.restoreAddress(step('restore'));
  expect(called('restoreAddress')).toMatchObject([{ body: { userId, email: from } }]);
});

test('what is settled is forgotten once notification knows what identity says by then', async () => {
  await act.forgetAddress(step('forget'));
  const [, , brought, forgotten] = standIns.calls;
  expect(brought).toMatchObject({ operation: 'bringContacts', body: { items: [contact] } });
  expect(forgotten).toMatchObject({ operation: 'forgetAddress', body: { userId } });
});

test('a history learns how the change stands, and of no mail or address', async () => {
  standIns.answers.internalMakeEmailChange = { status: 'changed', email: to };
  standIns.answers.internalTakeEmailChangeBack = { status: 'reverted', mailId: uuidv7() };
  expect(await act.makeEmailChange(step('make'))).toEqual({ status: 'changed' });
  expect(await act.takeEmailChangeBack(step('take-back'))).toEqual({ status: 'reverted' });
});

test('a refusal of notification reaches the saga with its code', async () => {
  standIns.answers.switchAddress = new ProblemError('invalid_state');
  await expect(act.switchAddress(step('switch'))).rejects.toMatchObject({ code: 'invalid_state' });
});
