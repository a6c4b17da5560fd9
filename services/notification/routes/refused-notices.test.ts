import { serviceTokens } from '../../../platform/auth';
import { createService } from '../../../platform/http-server';
import { type Listening, listen } from '../../../platform/listen';
import { createLogger, metrics } from '../../../platform/telemetry';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { newKey, sampleMessage } from '../../../tests/support/notifications';
import { ask } from '../../../tests/support/service';
import { notificationContract as contract } from '../contract';
import { createFactsSealer } from '../sealed-facts';
import { serveSagaSteps } from './saga-steps';

const SECRET = 'only-for-tests-only-for-tests-only-for-tests';
const tokens = serviceTokens(SECRET);
const lines: string[] = [];
let database: TestDatabase;
let listening: Listening;

beforeAll(async () => {
  database = await createTestDatabase('notification');
  const logger = createLogger('notification', 'info', { write: (line: string) => void lines.push(line) });
  const service = createService({
    name: 'notification',
    logger,
    contract,
    verifyUser: () => Promise.reject(new Error('no person calls here')),
    serviceTokens: tokens,
  });
  const config = { PUBLIC_URL: 'https://tutorconnect.example', NOTIFICATION_KEY_SECRET: SECRET };
  serveSagaSteps(service, { config, logger, database }, createFactsSealer(config));
  service.finish();
  listening = await listen(service.app, '127.0.0.1', 0);
});

beforeEach(() => lines.splice(0));

afterAll(async () => {
  await listening.close();
  await database.drop();
});

async function record(body: unknown, key = newKey()) {
  const token = await tokens.issue();
  return ask(`http://127.0.0.1:${listening.port}`, 'POST', contract.recordNotification.path, { body, key, token });
}

async function refusedSoFar(code: string): Promise<number> {
  const text = await metrics.getSingleMetricAsString('notification_notices_refused_total');
  return Number(new RegExp(`\\{code="${code}"\\} (\\d+)`).exec(text)?.[1] ?? 0);
}

test('a notice that is refused is counted, and logged as an error by its key and what was wrong, without what it says', async () => {
  const before = await refusedSoFar('validation_failed');
  const key = newKey();
  const message = sampleMessage('booking_confirmed_student');
  const { status } = await record(
    { ...message, recipientId: 'nowhere', data: { ...message.data, otherName: '' } },
    key,
  );
  expect(status).toBe(422);
  expect(await refusedSoFar('validation_failed')).toBe(before + 1);
  const logged = lines.map((line) => JSON.parse(line));
  expect(logged).toMatchObject([
    { level: 50, code: 'validation_failed', paths: ['recipientId', 'data.otherName'], businessKey: key },
  ]);
  expect(lines.join()).not.toContain('nowhere');
});

test('so is one for somebody else under a key that was used', async () => {
  const before = await refusedSoFar('idempotency_key_reused');
  const key = newKey();
  await record(sampleMessage('booking_confirmed_student'), key);
  await record(sampleMessage('booking_confirmed_student'), key);
  expect(await refusedSoFar('idempotency_key_reused')).toBe(before + 1);
  expect(lines).toHaveLength(1);
});

test('a notice that was taken, and a stranger who tries, count nothing', async () => {
  const before = await metrics.getSingleMetricAsString('notification_notices_refused_total');
  expect((await record(sampleMessage('booking_confirmed_student'))).status).toBe(200);
  const url = `http://127.0.0.1:${listening.port}`;
  expect((await ask(url, 'POST', contract.recordNotification.path, { body: {}, key: newKey() })).status).toBe(401);
  expect(await metrics.getSingleMetricAsString('notification_notices_refused_total')).toBe(before);
  expect(lines).toEqual([]);
});
