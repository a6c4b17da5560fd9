import { ProblemError } from '../kernel/errors';
import { uuidv7 } from '../platform/ids';
import { type StandIns, startStandIns } from '../tests/support/stand-ins';
import { createAccountMailActivities } from './account-mail';

let standIns: StandIns;
let act: ReturnType<typeof createAccountMailActivities>;

beforeAll(async () => {
  standIns = await startStandIns();
  act = createAccountMailActivities(standIns.clients.limited());
});

beforeEach(() => standIns.forget());

afterAll(() => standIns.close());

const requestId = uuidv7();
const key = `account-mail:${requestId}/mail`;
const userId = uuidv7();
const expiresAt = '2030-01-01T10:00:00.000Z';

test.each([
  ['password_reset', 'password_reset', { resetUrl: 'https://tutorconnect.example/api/auth/reset?token=t0k3n' }],
  [
    'email_verification',
    'verify_email',
    { verifyUrl: 'https://tutorconnect.example/api/auth/confirm-email?token=t0k3n' },
  ],
])(
  'a mail for %s is recorded with its link, of use for as long as the link is, and nothing of it is returned',
  async (purpose, template, data) => {
    standIns.answers.internalIssueLink = { link: { purpose, token: 't0k3n', expiresAt, userId } };
    standIns.answers.recordNotification = { id: uuidv7(), status: 'pending' };
    expect(await act.sendAccountMail({ requestId, key })).toEqual({ sent: true });
    expect(standIns.calls).toMatchObject([
      { operation: 'internalIssueLink', path: `/internal/account-mails/${requestId}/link`, key: `${key}/link` },
      {
        ...{ operation: 'recordNotification', key },
        body: { template, recipientId: userId, usefulUntil: expiresAt, data },
      },
    ]);
  },
);

test('where identity has no link, nothing is recorded', async () => {
  standIns.answers.internalIssueLink = { link: null };
  expect(await act.sendAccountMail({ requestId, key })).toEqual({ sent: false });
  expect(standIns.calls.map(({ operation }) => operation)).toEqual(['internalIssueLink']);
});

test('what is to be sent identity says, by purpose alone', async () => {
  standIns.answers.internalBeginAccountMail = { purpose: 'password_reset', email: 'ada@example.com' };
  expect(await act.beginAccountMail({ requestId, key: `account-mail:${requestId}/begin` })).toEqual({
    purpose: 'password_reset',
  });
});

test('a refusal of notification reaches the saga with its code', async () => {
  standIns.answers.internalIssueLink = { link: { purpose: 'password_reset', token: 't', expiresAt, userId } };
  standIns.answers.recordNotification = new ProblemError('conflict');
  await expect(act.sendAccountMail({ requestId, key })).rejects.toMatchObject({ code: 'conflict' });
});
