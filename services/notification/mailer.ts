import { createHash } from 'node:crypto';
import { createTransport } from 'nodemailer';
import { requireVendor } from '../../platform/vendors';
import { outcomeOf, type SendOutcome, type SmtpFailure } from './rules';

const CONNECT_TIMEOUT_MS = 3_000;
/** Silence after which a conversation is given up. */
const SILENCE_TIMEOUT_MS = 8_000;
/** One attempt in all, however slowly the server dribbles its replies; the connection is cut then. */
export const SEND_DEADLINE_MS = 20_000;
/** As many as a mail server commonly takes from one client. */
export const CONNECTIONS = 5;

export interface Mail {
  to: { name: string; address: string };
  subject: string;
  html: string;
  text: string;
  /** What the mail is about, for ever the same: becomes the Message-ID. */
  businessKey: string;
  /** When it was first to be sent; a repetition carries the same Date. */
  date: Date;
}

/** The only door to the mail server. */
export interface Mailer {
  /**
   * Hands one mail to the server. A failure is an outcome, not an exception.
   * @throws Error for a caller who does not say that it reaches the mail server (`platform/vendors.ts`)
   */
  send(mail: Mail): Promise<SendOutcome>;
  close(): void;
}

/**
 * A pool of SMTP connections to `smtpUrl` (`smtp:` upgrades to TLS when the server offers it, `smtps:` insists; nodemailer
 * reads options such as `?requireTLS=true` off its query). One `send` is one SMTP transaction: whoever asked repeats it.
 */
export function createMailer(smtpUrl: string, from: string): Mailer {
  const transport = createTransport({
    url: smtpUrl,
    pool: true,
    maxConnections: CONNECTIONS,
    // The pool would send again on its own after a lost connection; only the caller knows whether that is wanted.
    maxRequeues: 0,
    connectionTimeout: CONNECT_TIMEOUT_MS,
    greetingTimeout: CONNECT_TIMEOUT_MS,
    dnsTimeout: CONNECT_TIMEOUT_MS,
    socketTimeout: SILENCE_TIMEOUT_MS,
    // Nothing that somebody typed may ever make the mailer read a file or fetch an address.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    async send(mail) {
      requireVendor('smtp');
      return transport
        .sendMail({
          from,
          to: mail.to,
          subject: mail.subject,
          text: mail.text,
          html: mail.html,
          messageId: messageId(mail.businessKey, from),
          date: mail.date,
          // RFC 3834 §5: out-of-office replies do not answer to this.
          headers: { 'Auto-Submitted': 'auto-generated' },
          signal: AbortSignal.timeout(SEND_DEADLINE_MS),
        })
        .then(
          (info): SendOutcome => ({ kind: 'sent', smtpCode: replyCode(info.response) }),
          (error: unknown) => outcomeOf(failureOf(error)),
        );
    },
    close: () => transport.close(),
  };
}

/**
 * The Message-ID of the mail for `businessKey`: the same for every repetition. Should the process die between the server's
 * 250 and our record, the mail goes out again under this id, and mail systems recognise the copy (RFC 5322 §3.6.4).
 */
export function messageId(businessKey: string, from: string): string {
  const domain = /@([\w.-]+)>?\s*$/.exec(from)?.[1] ?? 'localhost';
  return `<${createHash('sha256').update(businessKey).digest('hex').slice(0, 32)}@${domain}>`;
}

function replyCode(response: string | undefined): number | null {
  const code = /^\d{3}/.exec(response ?? '')?.[0];
  return code ? Number(code) : null;
}

/** The parts of nodemailer's error that say what happened. Not its message, which quotes addresses. */
function failureOf(error: unknown): SmtpFailure {
  if (typeof error !== 'object' || error === null) return {};
  return {
    ...('responseCode' in error && typeof error.responseCode === 'number' && { responseCode: error.responseCode }),
    ...('command' in error && typeof error.command === 'string' && { command: error.command }),
    ...('code' in error && typeof error.code === 'string' && { code: error.code }),
  };
}
