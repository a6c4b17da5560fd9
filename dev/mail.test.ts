import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { reaching } from '../platform/vendors';
import { createMailer } from '../services/notification/mailer';
import { receivedMails } from '../tests/support/mail';
import { ask } from '../tests/support/service';
import { answersAt, freePorts } from './machine/ports';
import { type MailCatcher, startMailCatcher } from './mail';

let catcher: MailCatcher | undefined;
let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'tutorconnect-mail-test-'));
});
afterEach(async () => {
  await catcher?.close();
  catcher = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function start(options: { directory?: string } = {}): Promise<MailCatcher> {
  const [smtpPort = 0, uiPort = 0] = await freePorts(2);
  catcher = await startMailCatcher({ smtpPort, uiPort, ...options });
  return catcher;
}

async function deliver(smtpUrl: string, businessKey: string): Promise<void> {
  const mailer = createMailer(smtpUrl, 'TutorConnect <no-reply@tutorconnect.example>');
  const outcome = await reaching('smtp', () =>
    mailer.send({
      to: { name: 'Grace', address: 'grace@example.com' },
      subject: businessKey,
      html: '<p>Hello</p>',
      text: 'Hello',
      businessKey,
      date: new Date(),
    }),
  );
  mailer.close();
  expect(outcome.kind).toBe('sent');
}

const subjects = async ({ inboxUrl }: MailCatcher) =>
  (await receivedMails(inboxUrl)).map((mail) => mail.subject).sort();

test('a mail that was accepted is in the inbox at once', async () => {
  const running = await start();
  for (const key of ['1', '2', '3']) {
    await deliver(running.smtpUrl, key);
    expect(await subjects(running)).toContain(key);
  }
});

test('listens on the loopback address alone and frees its ports when it is closed', async () => {
  const { smtpUrl, inboxUrl, close } = await start();
  const ports = [smtpUrl, inboxUrl].map((url) => Number(new URL(url).port));
  for (const port of ports) {
    expect(await answersAt(port)).toBe(true);
    expect(await answersAt(port, '127.0.0.2')).toBe(false);
  }
  await close();
  catcher = undefined;
  for (const port of ports) expect(await answersAt(port)).toBe(false);
});

test('keeps mails from one start to the next in its folder', async () => {
  const first = await start({ directory });
  await deliver(first.smtpUrl, 'kept');
  await first.close();
  const second = await start({ directory });
  const deadline = Date.now() + 5_000;
  while ((await subjects(second)).length === 0 && Date.now() < deadline) await new Promise(setImmediate);
  expect(await subjects(second)).toEqual(['kept']);
});

test('without a folder starts empty and leaves nothing behind', async () => {
  const first = await start();
  await deliver(first.smtpUrl, 'gone');
  const [{ source }] = (await ask(first.inboxUrl, 'GET', '/email')).body;
  expect(existsSync(source)).toBe(true);
  await first.close();
  expect(existsSync(dirname(source))).toBe(false);
  expect(await subjects(await start())).toEqual([]);
});

test.each(['smtp', 'inbox'])('says which port is taken when the one for %s is', async (taken) => {
  const [smtpPort = 0, uiPort = 0] = await freePorts(2);
  const port = taken === 'smtp' ? smtpPort : uiPort;
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(port, '127.0.0.1', resolve));
  await expect(startMailCatcher({ smtpPort, uiPort, directory })).rejects.toMatchObject({ code: 'EADDRINUSE', port });
  await new Promise((resolve) => holder.close(resolve));
  catcher = await startMailCatcher({ smtpPort, uiPort, directory });
  await deliver(catcher.smtpUrl, 'after all');
});
