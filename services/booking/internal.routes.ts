import type { Service } from '../../platform/http-server';
import type { KeyedRequest } from '../../platform/idempotency';
import type { ServiceDeps } from '../../platform/service';
import { bookingContract as api } from './contract';
import { ok } from './replies.routes';
import { withoutSecrets } from './rules';
import {
  awaitTutor,
  cancelConfirmed,
  cancelPending,
  completeBooking,
  confirmBooking,
  createBooking,
  recordPayment,
  recordRefund,
  refuseRequest,
  rescheduleBooking,
} from './saga.store';
import { readBooking, readRequest } from './store';

/** The saga's steps. Keys are the platform's own, `booking:<id>/<step>`. */
export function serveInternal(service: Service, { database: { db } }: ServiceDeps): void {
  // Before the path with an id, which would take it.
  service.serve(api.internalGetBooking, async ({ params }) => {
    const booking = await readBooking(db, params.id);
    return ok({ ...booking, payment: withoutSecrets(booking.payment) });
  });
  service.serve(api.internalGetBookingRequest, async ({ params }) => ok(await readRequest(db, params.id)));
  service.serve(api.internalCreateBooking, async (call) =>
    ok(await createBooking(db, keyOf(call), call.params.id, call.body)),
  );
  service.serve(api.internalRefuseBooking, async (call) => {
    await refuseRequest(db, keyOf(call), call.params.id, call.body);
    return DONE;
  });
  service.serve(api.internalRecordPayment, async (call) => {
    const { payment, awaitingUntil = null } = call.body;
    // A version of a payment is the same news whatever deadline comes with it: a poll repeats it without one.
    const news = { ...keyOf(call), fingerprint: `payment ${payment.id} ${payment.version}` };
    await recordPayment(db, news, call.params.id, payment, awaitingUntil);
    return DONE;
  });
  service.serve(api.internalAwaitTutor, async (call) => {
    await awaitTutor(db, keyOf(call), call.params.id, call.body.respondBy);
    return DONE;
  });
  service.serve(api.internalConfirmBooking, async (call) => {
    await confirmBooking(db, keyOf(call), call.params.id);
    return DONE;
  });
  service.serve(api.internalCancelBooking, async (call) => {
    await cancelPending(db, keyOf(call), call.params.id, call.body);
    return DONE;
  });
  service.serve(api.internalCancelConfirmedBooking, async (call) =>
    ok(await cancelConfirmed(db, keyOf(call), call.params.id, call.body)),
  );
  service.serve(api.internalRecordRefund, async (call) => {
    await recordRefund(db, keyOf(call), call.params.id, call.body.payment);
    return DONE;
  });
  service.serve(api.internalRescheduleBooking, async (call) =>
    ok(await rescheduleBooking(db, keyOf(call), call.params.id, call.body)),
  );
  service.serve(api.internalCompleteBooking, async (call) => {
    await completeBooking(db, keyOf(call), call.params.id, call.body.by);
    return DONE;
  });
}

const DONE = { status: 204, body: undefined } as const;

function keyOf(call: { idempotencyKey: string; fingerprint: string }): KeyedRequest {
  return { owner: 'service', key: call.idempotencyKey, fingerprint: call.fingerprint };
}
