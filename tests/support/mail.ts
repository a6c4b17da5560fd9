import { createServer, type Server, type Socket } from 'node:net';
import { type ParsedMail, simpleParser } from 'mailparser';
import { z } from 'zod';
import { freePorts } from '../../dev/machine/ports';
import { type MailCatcher, startMailCatcher } from '../../dev/mail';
import { ask } from './service';

/** A mail as it arrived: parsed, and its source. */
export interface ReceivedMail extends ParsedMail {
  source: string;
  /** Whom the envelope was for. */
  recipients: string[];
}

// maildev does not keep the envelope of a mail over a restart, but leaves an empty text in its place.
const addresses = z.union([z.array(z.object({ address: z.string() })), z.literal('').transform(() => [])]);
const listed = z.array(z.object({ id: z.string(), envelope: z.object({ to: addresses }) }));

/** All mails in a catcher's inbox, oldest first, parsed from their sources. */
export async function receivedMails(inboxUrl: string): Promise<ReceivedMail[]> {
  const { body } = await ask(inboxUrl, 'GET', '/email');
  return Promise.all(
    listed.parse(body).map(async ({ id, envelope }) => {
      const source = z.string().parse((await ask(inboxUrl, 'GET', `/email/${id}/source`)).body);
      const parsed = await simpleParser(source, { skipHtmlToText: true, skipTextToHtml: true });
      return { ...parsed, source, recipients: envelope.to.map(({ address }) => address) };
    }),
  );
}

/** The mails in a catcher's inbox that were for `address`, oldest first. */
export async function mailsOf(inboxUrl: string, address: string): Promise<ReceivedMail[]> {
  return (await receivedMails(inboxUrl)).filter((mail) => mail.recipients.includes(address));
}

/** A mail catcher on free ports. */
export async function startTestCatcher(): Promise<MailCatcher> {
  const [smtpPort = 0, uiPort = 0] = await freePorts(2);
  return startMailCatcher({ smtpPort, uiPort });
}

/**
 * What a scripted server answers, by command; `body` is its word on the message. `hang`: never; `drop`: hangs up; `drip`: never comes to
 * the end of a line, of which it says a byte a second.
 */
export type SmtpScript = Partial<Record<'greeting' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | 'body', string>>;

const POLITE = {
  greeting: '220 test',
  EHLO: '250 test',
  MAIL: '250 ok',
  RCPT: '250 ok',
  DATA: '354 go on',
  body: '250 kept',
};

export interface ScriptedSmtp {
  url: string;
  /** Change it between mails. */
  script: SmtpScript;
  /** Runs when a message was given whole, before it is answered. */
  beforeAnswer: () => Promise<void>;
  /** How many conversations are open. */
  conversations(): number;
  /** The messages that were given to it whole, whatever it answered. */
  bodies: string[];
  close(): Promise<void>;
}

/** A real SMTP server that answers by a script, for replies that the catcher never gives. */
export async function startScriptedSmtp(script: SmtpScript = {}): Promise<ScriptedSmtp> {
  const [port = 0] = await freePorts(1);
  const sockets = new Set<Socket>();
  const smtp: ScriptedSmtp = {
    url: `smtp://127.0.0.1:${port}`,
    script,
    bodies: [],
    conversations: () => sockets.size,
    beforeAnswer: async () => undefined,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    converse(socket, smtp);
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return smtp;
}

function drip(socket: Socket): void {
  const timer = setInterval(() => socket.write('2'), 1_000);
  socket.on('close', () => clearInterval(timer));
}

function converse(socket: Socket, smtp: ScriptedSmtp): void {
  const say = (step: keyof SmtpScript) => {
    const reply = smtp.script[step] ?? POLITE[step];
    if (reply === 'drop') socket.destroy();
    else if (reply === 'drip') drip(socket);
    else if (reply !== 'hang') socket.write(`${reply}\r\n`);
  };
  let pending = '';
  let inBody = false;
  say('greeting');
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    pending += chunk;
    for (;;) {
      const end = pending.indexOf(inBody ? '\r\n.\r\n' : '\r\n');
      if (end < 0) return;
      const part = pending.slice(0, end);
      pending = pending.slice(end + (inBody ? 5 : 2));
      if (inBody) {
        inBody = false;
        smtp.bodies.push(part);
        void smtp.beforeAnswer().then(() => say('body'));
        continue;
      }
      const verb = part.slice(0, 4).toUpperCase();
      if (verb === 'EHLO' || verb === 'MAIL' || verb === 'RCPT' || verb === 'DATA') say(verb);
      else socket.write(verb === 'QUIT' ? '221 bye\r\n' : '250 ok\r\n');
      inBody = verb === 'DATA' && (smtp.script.DATA ?? POLITE.DATA).startsWith('3');
    }
  });
}
