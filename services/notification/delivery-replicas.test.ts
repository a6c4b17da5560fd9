import { PassThrough } from 'node:stream';
import { createChanges } from '../../platform/changes';
import { loadConfig } from '../../platform/config';
import { createLogger, metrics } from '../../platform/telemetry';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { until } from '../../tests/support/gateway';
import { type ScriptedSmtp, startScriptedSmtp } from '../../tests/support/mail';
import { announcement, newKey, sampleMessage } from '../../tests/support/notifications';
import { noBus, noSagas } from '../../tests/support/service';
import { startDelivery } from './delivery';
import { createMailer } from './mailer';
import { createFactsSealer } from './sealed-facts';
import { recordNotification } from './store/saga-steps';

let database: TestDatabase;
let smtp: ScriptedSmtp;
beforeEach(async () => {
  [database, smtp] = await Promise.all([createTestDatabase('notification'), startScriptedSmtp()]);
});
afterEach(async () => {
  await smtp.close();
  await database.drop();
});

const SECRET = 'for-the-mails-of-tests-for-the-mails-of-tests';

const configOf = (secret: string) =>
  loadConfig({ SERVICE_TOKEN_SECRET: SECRET, NOTIFICATION_KEY_SECRET: secret }, 'no-env-file-in-tests');

/** The deliveries of one replica, whose mail server is the test's. */
function replica(secret = SECRET) {
  const lines: string[] = [];
  const logger = createLogger(
    'test',
    'warn',
    new PassThrough().on('data', (line) => lines.push(String(line))),
  );
  const changes = createChanges(database, logger);
  const mailer = createMailer(smtp.url, 'no-reply@tutorconnect.example');
  const config = configOf(secret);
  const deps = { config, database, changes, logger, sagas: noSagas, bus: noBus };
  const delivery = startDelivery(deps, mailer, createFactsSealer(config));
  return {
    lines,
    async close() {
      changes.close();
      await delivery.close();
      mailer.close();
    },
  };
}

/** Records a mail without any replica at hand: it hears of it by its announcement, or by looking. */
async function record(secret = SECRET): Promise<string> {
  const [businessKey, message] = [newKey(), sampleMessage('payment_receipt')];
  const facts = createFactsSealer(configOf(secret)).seal(businessKey, message);
  await recordNotification(database.db, announcement({ businessKey, template: message.template, facts }));
  return businessKey;
}

const inStatus = async (status: string) =>
  (await database.sql`select from notifications where status = ${status}`).length;

test('two replicas send each of 200 mails once, those from before their start and those after', async () => {
  await Promise.all(Array.from({ length: 100 }, () => record()));
  const replicas = [replica(), replica()];
  await Promise.all(Array.from({ length: 100 }, () => record()));
  await until(async () => (await inStatus('sent')) === 200, 30_000);
  await Promise.all(replicas.map(({ close }) => close()));
  const ids = smtp.bodies.map((body) => /^message-id: (.*)$/im.exec(body)?.[1]);
  expect(ids).toHaveLength(200);
  expect(new Set(ids).size).toBe(200);
  const attempts = await database.sql`select outcome, count(*)::int from notification_delivery_log group by 1`;
  expect(attempts).toEqual([{ outcome: 'sent', count: 200 }]);
}, 60_000);

test('mails that were sealed with another secret are not sent and not lost: that is said, and who has it sends them', async () => {
  const key = await record();
  const wrong = replica('another-secret-another-secret-another-secret');
  await until(() => wrong.lines.length > 0);
  expect(wrong.lines).toEqual([expect.stringMatching(/"mails":1.*sealed with another NOTIFICATION_KEY_SECRET/)]);
  expect(await metrics.metrics()).toContain('notification_mails_waiting{key="other"} 1');
  expect(smtp.bodies).toEqual([]);
  expect(await database.sql`select status, attempts, facts is not null as kept from notifications`).toEqual([
    { status: 'pending', attempts: 0, kept: true },
  ]);
  // Both run for a while when a secret is changed.
  const own = await record('another-secret-another-secret-another-secret');
  await until(async () => (await inStatus('sent')) === 1);
  const right = replica();
  await until(async () => (await inStatus('sent')) === 2);
  await Promise.all([wrong.close(), right.close()]);
  const sent = await database.sql`select business_key from notifications order by sent_at`;
  expect(sent.map(({ business_key }) => business_key)).toEqual([own, key]);
});

test('a database that is away is looked for again, and what was recorded meanwhile is sent', async () => {
  await database.sql`alter table notifications rename to out_of_order`;
  const one = replica();
  await until(() => one.lines.length > 0);
  expect(one.lines[0]).toContain('mails are not looked for while the database is away');
  await database.sql`alter table out_of_order rename to notifications`;
  await record();
  await until(async () => (await inStatus('sent')) === 1);
  await one.close();
});
