import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import logger from 'maildev/lib/logger';
import mailserver from 'maildev/lib/mailserver';
import web from 'maildev/lib/web';

/** A mail server that delivers to nobody: it keeps every mail and shows it in a web inbox. */
export interface MailCatcher {
  smtpUrl: string;
  /** Web inbox; its REST API is below: `/email` lists, `/email/{id}/source` is a mail as it came. */
  inboxUrl: string;
  close(): Promise<void>;
}

export interface MailCatcherOptions {
  smtpPort: number;
  uiPort: number;
  /** The loopback address, unless in a container. */
  host?: string;
  /** Where mails are kept from one start to the next; without it they are lost with the catcher. */
  directory?: string;
}

/** How long open conversations may go on after a stop. A client's idle connections would hold it up for ever. */
const CLOSE_TIMEOUT_MS = 300;

/**
 * Starts maildev from its parts. Its own entry would take over the signals of the process, and its `listen` throws in
 * its callback (2.2.0). A process can have one catcher at a time, because maildev keeps its state in its modules.
 * @throws Error with code EADDRINUSE when a port is taken
 */
export async function startMailCatcher(options: MailCatcherOptions): Promise<MailCatcher> {
  const { smtpPort, uiPort, host = '127.0.0.1' } = options;
  const directory = options.directory ?? (await mkdtemp(join(tmpdir(), 'tutorconnect-mail-')));
  await mkdir(directory, { recursive: true, mode: 0o700 });
  logger.setLevel(0);
  mailserver.create(smtpPort, host, directory);
  mailserver.store.length = 0;
  if (options.directory) mailserver.loadMailsFromDirectory();

  const { smtp } = mailserver;
  smtp.options.closeTimeout = CLOSE_TIMEOUT_MS;
  // The server would ask the name server who 127.0.0.1 is, and greet late where no name server answers.
  smtp.options.disableReverseLookup = true;
  acknowledgeWhenKept();
  giveSourcesAsTheyCame(directory);
  // maildev's own listener throws at a client that hangs up. `listening` reports what matters here.
  smtp.removeAllListeners('error').on('error', () => undefined);
  await listening(smtp.server.listen(smtpPort, host));
  const close = async () => {
    await new Promise<void>((done) => mailserver.close(done));
    if (!options.directory) await rm(directory, { recursive: true, force: true });
  };
  web.start(uiPort, host, mailserver, undefined, undefined, undefined, { https: false });
  await listening(web.server).catch(async (error: unknown) => {
    await close();
    throw error;
  });
  return {
    smtpUrl: `smtp://${host}:${smtpPort}`,
    inboxUrl: `http://${host}:${uiPort}`,
    async close() {
      await new Promise<void>((done) => web.close(() => done()));
      await close();
    },
  };
}

async function listening(server: Server): Promise<void> {
  if (!server.listening) await once(server, 'listening');
}

/**
 * Maildev makes a mail's HTML harmless, by a whole browser's DOM, before it gives the source, which that changes nothing in: a tenth of a
 * second of processor time for each mail.
 */
function giveSourcesAsTheyCame(directory: string): void {
  mailserver.getRawEmail = (id, done) => {
    if (mailserver.store.some((mail) => mail.id === id)) done(null, createReadStream(join(directory, `${id}.eml`)));
    else done(new Error('Email was not found'));
  };
}

/** Answers 250 when the mail is in the inbox. Maildev alone answers first and reads the mail then. */
function acknowledgeWhenKept(): void {
  const { smtp } = mailserver;
  const receive = smtp.onData;
  smtp.onData = (stream, session, acknowledge) =>
    receive.call(smtp, stream, session, (error, reply = '') => {
      const id = reply.split(' ').at(-1);
      const kept = (mail: { id: string }) => mail.id === id;
      if (error || mailserver.store.some(kept)) return acknowledge(error, reply);
      const tell = (mail: { id: string }) => {
        if (!kept(mail)) return;
        mailserver.removeListener('new', tell);
        acknowledge(null, reply);
      };
      mailserver.on('new', tell);
    });
}

/** The catcher as a process of its own: MAIL_SMTP_PORT, MAIL_UI_PORT and DATA_DIR say where; mails are kept in `<DATA_DIR>/mail`. */
export async function main(environment: NodeJS.ProcessEnv = process.env): Promise<void> {
  const catcher = await startMailCatcher({
    smtpPort: Number(environment.MAIL_SMTP_PORT ?? 8425),
    uiPort: Number(environment.MAIL_UI_PORT ?? 8426),
    directory: join(resolve(environment.DATA_DIR ?? '.data'), 'mail'),
  });
  const stop = () => {
    catcher.close().then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  console.log(`Mail catcher ready: inbox ${catcher.inboxUrl}, ${catcher.smtpUrl}`);
}

if (require.main === module) {
  main().catch((error: unknown) => {
    console.error(`The mail catcher could not start: ${error instanceof Error ? error.message : String(error)}`);
    process.exit(1);
  });
}
