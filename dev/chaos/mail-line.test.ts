import { connect } from 'node:net';
import { type ScriptedSmtp, startScriptedSmtp } from '../../tests/support/mail';
import { freePorts } from '../machine/ports';
import { until } from '../processes/identify';
import { type MailLine, openMailLine } from './mail-line';

let smtp: ScriptedSmtp;
let line: MailLine;
beforeEach(async () => {
  smtp = await startScriptedSmtp({ greeting: '220 a greeting' });
  const [port = 0] = await freePorts(1);
  line = await openMailLine(port, Number(new URL(smtp.url).port));
});
afterEach(async () => {
  await line.close();
  await smtp.close();
});

/** A client of the line, and what it has heard so far. */
function client() {
  const heard = { text: '', accepted: false, ended: false };
  const socket = connect(Number(new URL(line.smtpUrl).port), '127.0.0.1');
  socket.setEncoding('utf8');
  socket.on('connect', () => {
    heard.accepted = true;
  });
  socket.on('data', (text: string) => {
    heard.text += text;
  });
  socket.on('close', () => {
    heard.ended = true;
  });
  socket.on('error', () => undefined);
  return { heard, say: (text: string) => socket.write(text), hangUp: () => socket.destroy() };
}

test('an open line passes on what both sides say', async () => {
  const { heard, say, hangUp } = client();
  expect(await until(() => heard.text === '220 a greeting\r\n', 5_000)).toBe(true);
  say('EHLO me\r\n');
  expect(await until(() => heard.text.endsWith('250 test\r\n'), 5_000)).toBe(true);
  hangUp();
});

test('a line that hangs accepts and says nothing, until it is open again', async () => {
  line.becomes('hangs');
  const hanging = client();
  expect(await until(() => hanging.heard.accepted, 5_000)).toBe(true);
  line.becomes('open');
  const open = client();
  expect(await until(() => open.heard.text !== '' && hanging.heard.text === open.heard.text, 5_000)).toBe(true);
  hanging.hangUp();
  open.hangUp();
});

test('a line that drips passes on a byte at a time', async () => {
  line.becomes('drips');
  const { heard, hangUp } = client();
  const seen = new Set<string>();
  expect(await until(() => seen.add(heard.text).size === 4, 15_000, 20)).toBe(true);
  expect([...seen]).toEqual(['', '2', '22', '220']);
  hangUp();
});

test('a mail server that is down is a line that hangs up', async () => {
  await smtp.close();
  const { heard } = client();
  expect(await until(() => heard.ended, 5_000)).toBe(true);
});
