import type { NextFunction, Request, Response } from 'express';
import { ERROR_CODES, ProblemError } from '../../../kernel/errors';
import type { Service } from '../../../platform/http-server';
import { byService } from '../../../platform/idempotency';
import { asProblem } from '../../../platform/problem';
import { created, done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { counter } from '../../../platform/telemetry';
import { notificationContract as contract, type RecordNotification, recipientSaid, withoutSaid } from '../contract';
import type { FactsSealer } from '../sealed-facts';
import { keepContacts, readContact } from '../store/contacts';
import { noticesOfBooking } from '../store/inbox';
import { type Announcement, createPreferences, recordNotification, removePreferences } from '../store/saga-steps';
import { render } from '../templates';

const refusedNotices = counter(
  'notification_notices_refused_total',
  'Notices that sagas wanted told and that were refused for good: nobody is told. None ever should be.',
  ['code'],
);

/** What the steps of sagas work with. */
interface SagaStepsDeps extends Pick<ServiceDeps, 'logger'> {
  config: Pick<ServiceDeps['config'], 'PUBLIC_URL'>;
  database: Pick<ServiceDeps['database'], 'db'>;
}

/** What activities of sagas call: every saga records messages, and sign-up makes and removes preferences. */
export function serveSagaSteps(
  service: Service,
  { config, logger, database: { db } }: SagaStepsDeps,
  sealer: FactsSealer,
): void {
  async function announcementOf(businessKey: string, message: RecordNotification): Promise<Announcement> {
    const contact = await readContact(db, message.recipientId);
    const recipient = contact ?? recipientSaid(message);
    if (!recipient) throw new ProblemError('contact_unknown');
    const { title, message: sentence } = render(message, recipient, config.PUBLIC_URL);
    const { recipientId, template, usefulUntil, data } = message;
    return {
      ...{ businessKey, recipientId, template, title, message: sentence },
      bookingId: 'bookingId' in data ? data.bookingId : null,
      paymentId: 'paymentId' in data ? data.paymentId : null,
      usefulUntil: usefulUntil === null ? null : new Date(usefulUntil),
      facts: sealer.seal(businessKey, contact ? withoutSaid(message) : message),
    };
  }

  service.serve(contract.recordNotification, async ({ body, idempotencyKey }) =>
    ok(await recordNotification(db, await announcementOf(idempotencyKey, body))),
  );
  // Sagas go on without a notice that is refused, so it is told here or nowhere.
  service.app.use(
    contract.recordNotification.path,
    (error: unknown, request: Request, _: Response, next: NextFunction) => {
      const { code, more } = asProblem(error);
      if (!ERROR_CODES[code].retryable && code !== 'unauthenticated') {
        refusedNotices.inc({ code });
        const paths = more.errors?.map(({ path }) => path);
        logger.error(
          { code, paths, businessKey: request.header('idempotency-key') },
          'a notice was refused: nobody is told',
        );
      }
      next(error);
    },
  );

  service.serve(contract.noticesOfBooking, async ({ params }) =>
    ok({ items: await noticesOfBooking(db, params.bookingId) }),
  );

  service.serve(contract.bringContacts, async ({ body }) => ok({ changed: await keepContacts(db, body.items) }));

  service.serve(contract.createPreferences, async (call) => {
    const reply = await createPreferences(db, byService(call), call.params.userId, call.body?.contact);
    return created(reply.body);
  });

  service.serve(contract.removePreferences, async (call) => {
    await removePreferences(db, byService(call), call.params.userId);
    return done;
  });
}
