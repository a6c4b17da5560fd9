import type { Service } from '../../../platform/http-server';
import type { KeyedRequest } from '../../../platform/idempotency';
import type { ServiceDeps } from '../../../platform/service';
import { bookingContract as contract } from '../contract';
import { ok } from '../replies.routes';
import { withoutSecrets } from '../rules';
import { readBooking, readRequest } from '../store/reads';
import {
  awaitTutor,
  cancelConfirmed,
  cancelPending,
  completeConfirmed,
  confirmPending,
  createPending,
  moveConfirmed,
  recordPayment,
  recordRefund,
  refuseRequest,
} from '../store/saga-steps';

/** The saga's steps. Keys are the platform's own, `booking:<id>/<step>`. */
export function serveInternal(service: Service, { database: { db } }: ServiceDeps): void {
  // Before the path with an id, which would take it.
  service.serve(contract.readForNotices, async ({ params }) => {
    const booking = await readBooking(db, params.id);
    return ok({ ...booking, payment: withoutSecrets(booking.payment) });
  });
  service.serve(contract.getRequest, async ({ params }) => ok(await readRequest(db, params.id)));
  service.serve(contract.createPending, async (call) =>
    ok(await createPending(db, keyOf(call), call.params.id, call.body)),
  );
  service.serve(contract.refuseRequest, async (call) => {
    await refuseRequest(db, keyOf(call), call.params.id, call.body);
    return DONE;
  });
  service.serve(contract.recordPayment, async (call) => {
    const { payment, awaitingUntil = null } = call.body;
    // A version of a payment is the same news whatever deadline comes with it: a poll repeats it without one.
    const news = { ...keyOf(call), fingerprint: `payment ${payment.id} ${payment.version}` };
    await recordPayment(db, news, call.params.id, payment, awaitingUntil);
    return DONE;
  });
  service.serve(contract.awaitTutor, async (call) => {
    await awaitTutor(db, keyOf(call), call.params.id, call.body.respondBy);
    return DONE;
  });
  service.serve(contract.confirmPending, async (call) => {
    await confirmPending(db, keyOf(call), call.params.id);
    return DONE;
  });
  service.serve(contract.cancelPending, async (call) => {
    await cancelPending(db, keyOf(call), call.params.id, call.body);
    return DONE;
  });
  service.serve(contract.cancelConfirmed, async (call) =>
    ok(await cancelConfirmed(db, keyOf(call), call.params.id, call.body)),
  );
  service.serve(contract.recordRefund, async (call) => {
    await recordRefund(db, keyOf(call), call.params.id, call.body.payment);
    return DONE;
  });
  service.serve(contract.moveConfirmed, async (call) =>
    ok(await moveConfirmed(db, keyOf(call), call.params.id, call.body)),
  );
  service.serve(contract.completeConfirmed, async (call) => {
    await completeConfirmed(db, keyOf(call), call.params.id, call.body.by);
    return DONE;
  });
}

const DONE = { status: 204, body: undefined } as const;

function keyOf(call: { idempotencyKey: string; fingerprint: string }): KeyedRequest {
  return { owner: 'service', key: call.idempotencyKey, fingerprint: call.fingerprint };
}
