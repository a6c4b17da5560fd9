import { randomUUID } from 'node:crypto';
import { HOUR } from '../kernel/time';
import {
  fails,
  gate,
  isAway,
  refuses,
  type SagaHarness,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { ACCOUNT_MAIL_STEPS } from './account-mail';
import { accountMailSaga } from './account-mail.api';

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(30_000);
afterAll(() => harness?.close());

const WELL: Record<string, TestActivity> = {
  beginAccountMail: () => ({ purpose: 'password_reset' }),
  sendAccountMail: () => ({ sent: true }),
};
const STEPS = Object.values(ACCOUNT_MAIL_STEPS).map(({ does }) => does);
const start = (change: Record<string, TestActivity> = {}, requestId: string = randomUUID()) =>
  harness.start(accountMailSaga, { requestId }, { ...WELL, ...change });

test('identity is asked what is to be sent, and the mail is handed over, each under a key of its own', async () => {
  const keys: string[] = [];
  const noting = STEPS.map((name): [string, TestActivity] => [
    name,
    (input, attempt) => {
      keys.push(`${name} ${input.requestId} ${input.key}`);
      return WELL[name]?.(input, attempt);
    },
  ]);
  const saga = await start(Object.fromEntries(noting), 'r1');
  expect(await saga.result()).toEqual({ outcome: 'sent' });
  expect(keys).toEqual(['beginAccountMail r1 account-mail:r1/begin', 'sendAccountMail r1 account-mail:r1/mail']);
  expect(await saga.attribute('SagaState')).toBe('Completed');
});

test('where nothing is to be sent, nothing is', async () => {
  const saga = await start({ beginAccountMail: () => ({ purpose: null }) });
  expect(await saga.result()).toEqual({ outcome: 'nothing' });
  expect(saga.calls).toEqual(['beginAccountMail']);
});

test('a mail that nobody wants any more when it is its turn is not sent', async () => {
  const saga = await start({ sendAccountMail: () => ({ sent: false }) });
  expect(await saga.result()).toEqual({ outcome: 'nothing' });
});

test.each(STEPS)('%s that is refused is given up, and calls no operator', async (step) => {
  const saga = await start({ [step]: refuses('validation_failed') });
  expect(await saga.result()).toEqual({ outcome: 'given_up' });
  expect(await saga.attribute('SagaState')).toBe('Completed');
});

test.each(STEPS)('%s that fails for longer than local attempts last goes on as a recorded one', async (step) => {
  const saga = await start({ [step]: fails(9, WELL[step]) });
  expect(await saga.result()).toEqual({ outcome: 'sent' });
  const { events } = await saga.handle.fetchHistory();
  const recorded = events?.flatMap((event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? []);
  expect(recorded).toEqual([step]);
  await harness.replay(saga.handle);
});

test.each(STEPS)('%s that is away is given up after a day', async (step) => {
  const began = await harness.env.currentTimeMs();
  const saga = await start({ [step]: isAway });
  expect(await saga.result()).toEqual({ outcome: 'given_up' });
  expect((await harness.env.currentTimeMs()) - began).toBeGreaterThan(23 * HOUR);
});

test.each(STEPS)('a cancel while %s is under way changes nothing', async (step) => {
  const held = gate(await WELL[step]?.({}, 1));
  const saga = await start({ [step]: held.activity });
  await saga.called(step);
  await saga.handle.cancel();
  held.open();
  expect(await saga.result()).toEqual({ outcome: 'sent' });
});

test('what operators read names the request and what it is for, and nobody', async () => {
  const saga = await start({}, 'r2');
  await saga.result();
  expect(await saga.details()).toBe('**Completed**\n\nAccount mail r2: notification has it.');
});
