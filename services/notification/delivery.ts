import { ProblemError } from '../../kernel/errors';
import type { ServiceDeps } from '../../platform/service';
import { counter } from '../../platform/telemetry';
import type { SendNotification, SentNotification } from './contract';
import type { Mailer } from './mailer';
import type { SendOutcome } from './rules';
import { claimSend, recordOutcome, type Sending } from './store';
import { render } from './templates';

const mails = counter('notification_mails_total', 'Attempts to send a mail, by template and outcome', [
  'template',
  'outcome',
]);

/** When to try again after the mail server did not take a mail. */
const RETRY_AFTER_SECONDS = 5;

/**
 * Record, send, record. What the mail server answered is remembered until it is in the database: a mail that went out while
 * the database was down is recorded by the next request with its key instead of being sent again.
 * @returns a function that delivers `message` once per `businessKey` and throws ProblemError: idempotency_in_progress while
 * another request sends it, upstream_unavailable when the mail server does not take it now, idempotency_key_reused
 */
export function createDelivery({ config, database, logger }: ServiceDeps, mailer: Mailer) {
  const unrecorded = new Map<string, { sending: Sending; outcome: SendOutcome }>();

  async function send(businessKey: string, message: SendNotification): Promise<SentNotification | undefined> {
    const rendered = render(message, config.PUBLIC_URL);
    const claim = await claimSend(database.db, {
      businessKey,
      recipientId: message.recipientId,
      template: message.template,
      title: rendered.title,
      message: rendered.message,
      bookingId: 'bookingId' in message.data ? message.data.bookingId : null,
      paymentId: 'paymentId' in message.data ? message.data.paymentId : null,
    });
    if (claim.kind === 'settled') return claim.notification;
    const outcome = await mailer.send({
      to: { name: rendered.recipient, address: message.email },
      subject: rendered.subject,
      html: rendered.html,
      text: rendered.text,
      businessKey,
      date: claim.sending.createdAt,
    });
    mails.inc({ template: message.template, outcome: outcome.kind });
    unrecorded.set(businessKey, { sending: claim.sending, outcome });
    return undefined;
  }

  async function record(businessKey: string): Promise<SentNotification> {
    const made = unrecorded.get(businessKey);
    if (!made) throw new ProblemError('idempotency_in_progress', undefined, { retryAfterSeconds: 1 });
    const { id, status } = await recordOutcome(database.db, made.sending, made.outcome);
    unrecorded.delete(businessKey);
    if (made.outcome.kind !== 'sent')
      logger.warn({ notificationId: id, attempt: made.sending.attempt, ...made.outcome }, 'a mail was not taken');
    if (status !== 'pending') return { id, status };
    throw new ProblemError('upstream_unavailable', 'The mail server is not taking mails', {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }

  return async (businessKey: string, message: SendNotification): Promise<SentNotification> => {
    const settled = unrecorded.has(businessKey) ? undefined : await send(businessKey, message);
    return settled ?? record(businessKey);
  };
}

export type Deliver = ReturnType<typeof createDelivery>;
