// maildev 2.2 ships no types. Only what `mail.ts` uses of its parts is declared.
declare module 'maildev/lib/mailserver' {
  import type { EventEmitter } from 'node:events';
  import type { Server } from 'node:net';
  import type { Readable } from 'node:stream';

  type Acknowledge = (error: Error | null, reply?: string) => void;
  interface SmtpServer extends EventEmitter {
    server: Server;
    options: { closeTimeout?: number; disableReverseLookup?: boolean };
    onData(stream: Readable, session: unknown, acknowledge: Acknowledge): void;
  }
  interface MailServer {
    smtp: SmtpServer;
    store: { id: string }[];
    create(port: number, host: string, mailDirectory: string): void;
    loadMailsFromDirectory(): void;
    getRawEmail(id: string, done: (error: Error | null, source?: Readable) => void): void;
    on(event: 'new', listener: (mail: { id: string }) => void): void;
    removeListener(event: 'new', listener: (mail: { id: string }) => void): void;
    close(done: () => void): void;
  }
  const mailserver: MailServer;
  export = mailserver;
}

declare module 'maildev/lib/web' {
  import type { Server } from 'node:http';

  interface Web {
    server: Server;
    start(
      port: number,
      host: string,
      mailserver: unknown,
      user: undefined,
      password: undefined,
      basePath: undefined,
      secure: { https: false },
    ): void;
    close(done: () => void): void;
  }
  const web: Web;
  export = web;
}

declare module 'maildev/lib/logger' {
  const logger: { setLevel(level: 0 | 1 | 2): void };
  export = logger;
}
