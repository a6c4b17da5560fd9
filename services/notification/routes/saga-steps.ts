import type { Service } from '../../../platform/http-server';
import { byService } from '../../../platform/idempotency';
import { created, done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { notificationContract as contract } from '../contract';
import type { Deliver } from '../delivery';
import { createPreferences, removePreferences } from '../store';

/** What activities of sagas call: every saga sends messages, and sign-up makes and removes preferences. */
export function serveSagaSteps(service: Service, { database: { db } }: ServiceDeps, deliver: Deliver): void {
  service.serve(contract.sendNotification, async ({ body, idempotencyKey }) => ok(await deliver(idempotencyKey, body)));

  service.serve(contract.createPreferences, async (call) => {
    const reply = await createPreferences(db, byService(call), call.params.userId);
    return created(reply.body);
  });

  service.serve(contract.removePreferences, async (call) => {
    await removePreferences(db, byService(call), call.params.userId);
    return done;
  });
}
