import type { Service } from '../../../platform/http-server';
import { byService } from '../../../platform/idempotency';
import { created, done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { notificationContract as contract, type RecordNotification } from '../contract';
import type { FactsSealer } from '../sealed-facts';
import { type Announcement, createPreferences, recordNotification, removePreferences } from '../store/saga-steps';
import { render } from '../templates';

/** What activities of sagas call: every saga records messages, and sign-up makes and removes preferences. */
export function serveSagaSteps(service: Service, { config, database: { db } }: ServiceDeps, sealer: FactsSealer): void {
  function announcementOf(businessKey: string, message: RecordNotification): Announcement {
    const { title, message: sentence } = render(message, config.PUBLIC_URL);
    const { recipientId, template, usefulUntil, data } = message;
    return {
      ...{ businessKey, recipientId, template, title, message: sentence },
      bookingId: 'bookingId' in data ? data.bookingId : null,
      paymentId: 'paymentId' in data ? data.paymentId : null,
      usefulUntil: usefulUntil === null ? null : new Date(usefulUntil),
      facts: sealer.seal(businessKey, message),
    };
  }

  service.serve(contract.recordNotification, async ({ body, idempotencyKey }) =>
    ok(await recordNotification(db, announcementOf(idempotencyKey, body))),
  );

  service.serve(contract.createPreferences, async (call) => {
    const reply = await createPreferences(db, byService(call), call.params.userId);
    return created(reply.body);
  });

  service.serve(contract.removePreferences, async (call) => {
    await removePreferences(db, byService(call), call.params.userId);
    return done;
  });
}
