import type { NextFunction, Request, Response } from 'express';
import { ERROR_CODES } from '../../../kernel/errors';
import type { Service } from '../../../platform/http-server';
import { byService } from '../../../platform/idempotency';
import { asProblem } from '../../../platform/problem';
import { created, done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { counter } from '../../../platform/telemetry';
import { serveAddressChanges } from '../address-changes/routes';
import { announcementOf } from '../announcement';
import { notificationContract as contract } from '../contract';
import type { FactsSealer } from '../sealed-facts';
import { keepContacts, readContact } from '../store/contacts';
import { noticesOfBooking } from '../store/inbox';
import { createPreferences, recordNotification, removePreferences } from '../store/saga-steps';

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
  const announcing = { sealer, publicUrl: config.PUBLIC_URL };

  service.serve(contract.recordNotification, async ({ body, idempotencyKey }) => {
    const contact = await readContact(db, body.recipientId);
    return ok(await recordNotification(db, announcementOf(contact, announcing, idempotencyKey, body)));
  });
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

  serveAddressChanges(service, { database: { db } });

  service.serve(contract.removePreferences, async (call) => {
    await removePreferences(db, byService(call), call.params.userId);
    return done;
  });
}
