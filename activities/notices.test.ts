import { ProblemError } from '../kernel/errors';
import { uuidv7 } from '../platform/ids';
import { notificationContract } from '../services/notification/contract';
import { newKey, noticeTo } from '../tests/support/notifications';
import { type SagaStack, startSagaStack } from '../tests/support/saga-stack';
import { type StandIns, startStandIns } from '../tests/support/stand-ins';
import { activeUser } from '../tests/support/users';
import { createNotices } from './notices';

jest.setTimeout(60_000);

const messageTo = (userId: string) =>
  notificationContract.recordNotification.body.parse(noticeTo(userId, 'payment_receipt'));

describe('with the services', () => {
  let stack: SagaStack;
  beforeAll(async () => {
    stack = await startSagaStack();
  });
  afterAll(() => stack.close());
  const called = () => stack.called.splice(0).map(({ operationId }) => operationId);

  test('who signed up by a worker of before is told all the same, and known from then on', async () => {
    const notices = createNotices(stack.clients);
    const userId = await activeUser(stack.identity.database.db);
    expect(await notices.record(messageTo(userId), newKey())).toMatchObject({ status: 'pending' });
    expect(called()).toEqual(['recordNotification', 'internalGetContact', 'bringContacts', 'recordNotification']);
    const kept = await stack.notification.database.sql`select email from contacts where user_id = ${userId}`;
    expect(kept).toEqual(await stack.identity.database.sql`select email from users where id = ${userId}`);
    await notices.record(messageTo(userId), newKey());
    expect(called()).toEqual(['recordNotification']);
  });

  test('who is nobody is told nothing, and no contact is made', async () => {
    const userId = uuidv7();
    const telling = createNotices(stack.clients).record(messageTo(userId), newKey());
    await expect(telling).rejects.toMatchObject({ code: 'not_found' });
    expect(await stack.notification.database.sql`select 1 from contacts where user_id = ${userId}`).toEqual([]);
  });
});

describe('alone', () => {
  let services: StandIns;
  beforeAll(async () => {
    services = await startStandIns();
  });
  afterAll(() => services.close());

  test('another refusal is handed on as it is, and identity is not asked', async () => {
    services.answers.recordNotification = new ProblemError('idempotency_key_reused');
    const telling = createNotices(services.clients).record(messageTo(uuidv7()), newKey());
    await expect(telling).rejects.toMatchObject({ code: 'idempotency_key_reused' });
    expect(services.calls.map(({ operation }) => operation)).toEqual(['recordNotification']);
  });
});
