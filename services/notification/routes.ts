import { ProblemError } from '../../kernel/errors';
import type { Service } from '../../platform/http-server';
import type { ServiceDefinition, ServiceDeps } from '../../platform/service';
import { counter } from '../../platform/telemetry';
import { notificationContract as contract, type SendNotification, type SentNotification } from './contract';
import { createMailer, type Mailer } from './mailer';
import { decodeCursor, encodeCursor, type SendOutcome } from './rules';
import * as store from './store';
import { render } from './templates';

const mails = counter('notification_mails_total', 'Attempts to send a mail, by template and outcome', [
  'template',
  'outcome',
]);

/** When to try again after the mail server did not take a mail. */
const RETRY_AFTER_SECONDS = 5;

/** Tells people things: one mail per business key, a list of what was said, and preferences. */
export const notificationService: ServiceDefinition = {
  name: 'notification',
  contract,
  async routes(service, deps) {
    const mailer = createMailer(deps.config.SMTP_URL, deps.config.MAIL_FROM);
    serveInternal(service, deps, mailer);
    serveInbox(service, deps);
    servePreferences(service, deps);
    return { close: async () => mailer.close() };
  },
};

function serveInternal(service: Service, deps: ServiceDeps, mailer: Mailer): void {
  const { db } = deps.database;
  const tell = teller(deps, mailer);

  service.serve(contract.sendNotification, async ({ body, idempotencyKey }) => ok(await tell(idempotencyKey, body)));

  service.serve(contract.createPreferences, async ({ params, idempotencyKey: key, fingerprint }) => {
    const reply = await store.createPreferences(db, { owner: 'service', key, fingerprint }, params.userId);
    return { status: 201 as const, body: reply.body };
  });

  service.serve(contract.removePreferences, async ({ params, idempotencyKey: key, fingerprint }) => {
    await store.removePreferences(db, { owner: 'service', key, fingerprint }, params.userId);
    return { status: 204 as const, body: undefined };
  });
}

/**
 * Record, send, record. What the mail server answered is remembered until it is in the database: a mail that went out while
 * the database was down is recorded by the next request with its key instead of being sent again.
 */
function teller({ config, database, logger }: ServiceDeps, mailer: Mailer) {
  const unrecorded = new Map<string, { attempt: store.Attempt; outcome: SendOutcome }>();

  async function attempt(businessKey: string, message: SendNotification): Promise<SentNotification | undefined> {
    const rendered = render(message, config.PUBLIC_URL);
    const claim = await store.claimSend(database.db, {
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
      date: claim.attempt.createdAt,
    });
    mails.inc({ template: message.template, outcome: outcome.kind });
    unrecorded.set(businessKey, { attempt: claim.attempt, outcome });
    return undefined;
  }

  async function record(businessKey: string): Promise<SentNotification> {
    const made = unrecorded.get(businessKey);
    if (!made) throw new ProblemError('idempotency_in_progress', undefined, { retryAfterSeconds: 1 });
    const { id, status } = await store.recordOutcome(database.db, made.attempt, made.outcome);
    unrecorded.delete(businessKey);
    if (made.outcome.kind !== 'sent')
      logger.warn({ notificationId: id, attempt: made.attempt.attempt, ...made.outcome }, 'a mail was not taken');
    if (status !== 'pending') return { id, status };
    throw new ProblemError('upstream_unavailable', 'The mail server is not taking mails', {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    });
  }

  return async (businessKey: string, message: SendNotification): Promise<SentNotification> => {
    const settled = unrecorded.has(businessKey) ? undefined : await attempt(businessKey, message);
    return settled ?? record(businessKey);
  };
}

function serveInbox(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.listNotifications, async ({ user, query }) => {
    const { items, nextId, unreadCount } = await store.listNotifications(db, user.id, {
      before: query.cursor === undefined ? undefined : decodeCursor(query.cursor),
      limit: query.limit,
      unreadOnly: query.unread === 'true',
    });
    return ok({ items, nextCursor: nextId && encodeCursor(nextId), unreadCount });
  });

  service.serve(contract.markAllNotificationsRead, async ({ user }) =>
    ok({ marked: await store.markAllRead(db, user.id) }),
  );

  service.serve(contract.markNotificationRead, async ({ user, params }) =>
    ok(await store.markRead(db, user.id, params.id)),
  );
}

function servePreferences(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.getNotificationPreferences, async ({ user }) => ok(await store.readPreferences(db, user.id)));

  service.serve(contract.putNotificationPreferences, async ({ user, body }) =>
    ok(await store.writePreferences(db, user.id, body)),
  );
}

const ok = <Body>(body: Body) => ({ status: 200 as const, body });
