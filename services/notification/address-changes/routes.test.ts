import type { MailCatcher } from '../../../dev/mail';
import { uuidv7 } from '../../../platform/ids';
import { until } from '../../../tests/support/gateway';
import { mailsOf, type ScriptedSmtp, startScriptedSmtp, startTestCatcher } from '../../../tests/support/mail';
import { contactOf, newKey, noticeTo, recordBy, somebody, statusOf } from '../../../tests/support/notifications';
import { startTestService, type TestService } from '../../../tests/support/service';
import type { TemplateName } from '../contract';
import { notificationService } from '../routes';
import { keepContacts } from '../store/contacts';

// To which of two addresses a mail about a change goes.

let catcher: MailCatcher;
let smtp: ScriptedSmtp;
let service: TestService;
/** One whose mail server takes nothing for now. */
let away: TestService;
beforeAll(async () => {
  [catcher, smtp] = await Promise.all([startTestCatcher(), startScriptedSmtp()]);
  const serviceBy = (url: string) => startTestService(notificationService, { environment: { SMTP_URL: url } });
  [service, away] = await Promise.all([serviceBy(catcher.smtpUrl), serviceBy(smtp.url)]);
});
afterAll(async () => {
  await Promise.all([service.close(), away.close()]);
  await Promise.all([catcher.close(), smtp.close()]);
});

const record = recordBy(() => service);

async function proposed(to: TestService) {
  const contact = contactOf();
  await keepContacts(to.database.db, [contact]);
  const { userId, email: emailBefore } = contact;
  const [requestId, email] = [uuidv7(), somebody()];
  const call = (step: string, key = step, body?: object) =>
    to.internal('POST', `/internal/address-changes/${requestId}/${step}`, {
      key: `email-change:${requestId}/${key}`,
      ...(body && { body }),
    });
  expect(await call('propose', 'propose', { userId, emailBefore, email })).toMatchObject({ status: 204 });
  const notice = (template: TemplateName) => noticeTo(userId, template, { changeId: requestId });
  return { requestId, userId, before: emailBefore, proposed: email, call, notice };
}

test.each<[TemplateName, 'before' | 'proposed']>([
  ['email_change_confirm', 'proposed'],
  ['email_change_asked', 'before'],
  ['email_changed', 'proposed'],
  ['email_changed_revert', 'before'],
])(
  '%s goes to the address that is %s, before the person is reached by the other one and after',
  async (template, goesTo) => {
    const change = await proposed(service);
    for (const step of ['', 'switch']) {
      if (step) expect(await change.call(step)).toMatchObject({ status: 204 });
      const key = newKey();
      expect(await record(change.notice(template), key)).toMatchObject({ status: 200 });
      await until(async () => (await statusOf(service, key)) === 'sent');
    }
    expect(await mailsOf(catcher.inboxUrl, change[goesTo])).toHaveLength(2);
    const other = goesTo === 'before' ? 'proposed' : 'before';
    expect(await mailsOf(catcher.inboxUrl, change[other])).toEqual([]);
  },
);

test('a mail to a proposed address, which may be anybody’s, says no name', async () => {
  const change = await proposed(service);
  await record(change.notice('email_change_confirm'));
  await until(async () => (await mailsOf(catcher.inboxUrl, change.proposed)).length === 1);
  const [mail] = await mailsOf(catcher.inboxUrl, change.proposed);
  expect(`${mail?.source}`).not.toContain('Grace');
  expect(mail?.text).toContain('https://tutorconnect.example/api/auth/link?token=abc&x=1');
});

test('a mail about a change that was given up before it was sent goes to nobody', async () => {
  const change = await proposed(away);
  smtp.script = { RCPT: '451 4.7.1 greylisted' };
  const key = newKey();
  await record(change.notice('email_change_confirm'), key, away);
  const failed = () => away.database.sql`
    select 1 from notification_delivery_log join notifications on id = notification_id
    where business_key = ${key} and outcome = 'unavailable'`;
  await until(async () => (await failed()).length > 0);
  expect(await change.call('drop', 'propose/undo')).toMatchObject({ status: 204 });
  smtp.script = {};
  await until(async () => (await statusOf(away, key)) === 'failed');
  expect(smtp.bodies).toEqual([]);
});

test('nor does one about a change of somebody else', async () => {
  const [mine, other] = [await proposed(service), await proposed(service)];
  const key = newKey();
  await record({ ...mine.notice('email_change_confirm'), recipientId: other.userId }, key);
  await until(async () => (await statusOf(service, key)) === 'failed');
  expect(await mailsOf(catcher.inboxUrl, mine.proposed)).toEqual([]);
});

test('steps are taken from the platform only', async () => {
  const token = await service.userToken({ role: 'admin' });
  const path = `/internal/address-changes/${uuidv7()}/switch`;
  expect(await service.ask('POST', path, { token, key: newKey() })).toMatchObject({ status: 401 });
});
