import { checkFolds } from '../../../platform/fold';
import type { Service } from '../../../platform/http-server';
import { byService } from '../../../platform/idempotency';
import { done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { bookingContract as contract } from '../contract';
import { TERMS_IN_WORDS } from '../rules/terms';
import { withoutSecrets } from '../rules/visible';
import { foldedBookings } from '../store/fold';
import { recordPayment, recordRefund } from '../store/payment-copy';
import { readBooking, readTimeline } from '../store/reads';
import {
  admitMove,
  awaitTutor,
  beginRequest,
  cancelConfirmed,
  cancelPending,
  completeConfirmed,
  confirmPending,
  createPending,
  moveConfirmed,
  refuseRequest,
} from '../store/saga-steps';
import { sweepRequests } from '../store/sweep';

/** The steps of the booking saga and what its activities read. Keys are the platform's own, `booking:<id>/<step>`. */
export function serveSagaSteps(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.readForNotices, async ({ params }) => {
    const booking = await readBooking(db, params.id);
    return ok({ ...booking, payment: withoutSecrets(booking.payment), studentEmail: '', tutorEmail: '' });
  });
  service.serve(contract.readTimeline, async ({ params }) => {
    const { id } = await readBooking(db, params.id);
    return ok({ items: await readTimeline(db, id), terms: TERMS_IN_WORDS });
  });
  service.serve(contract.beginRequest, async ({ params }) => ok(await beginRequest(db, params.id)));
  service.serve(contract.getRequest, async ({ params }) => ok(await beginRequest(db, params.id)));
  service.serve(contract.checkFolds, async ({ body }) => ok(await checkFolds(db, [foldedBookings], body)));
  service.serve(contract.sweepRequests, async () => ok(await sweepRequests(db)));
  service.serve(contract.createPending, async (call) =>
    ok(await createPending(db, byService(call), call.params.id, call.body)),
  );
  service.serve(contract.refuseRequest, async (call) => {
    await refuseRequest(db, byService(call), call.params.id, call.body);
    return done;
  });
  service.serve(contract.recordPayment, async (call) => {
    const { payment, awaitingUntil = null } = call.body;
    // A version of a payment is the same news whatever deadline comes with it: a poll repeats it without one.
    const news = { ...byService(call), fingerprint: `payment ${payment.id} ${payment.version}` };
    await recordPayment(db, news, call.params.id, payment, awaitingUntil);
    return done;
  });
  service.serve(contract.awaitTutor, async (call) => {
    await awaitTutor(db, byService(call), call.params.id, call.body.respondBy);
    return done;
  });
  service.serve(contract.confirmPending, async (call) => {
    await confirmPending(db, byService(call), call.params.id);
    return done;
  });
  service.serve(contract.cancelPending, async (call) => {
    await cancelPending(db, byService(call), call.params.id, call.body);
    return done;
  });
  service.serve(contract.cancelConfirmed, async (call) =>
    ok(await cancelConfirmed(db, byService(call), call.params.id, call.body)),
  );
  service.serve(contract.recordRefund, async (call) => {
    await recordRefund(db, byService(call), call.params.id, call.body.payment);
    return done;
  });
  service.serve(contract.admitMove, async (call) => {
    await admitMove(db, call.params.id, call.body);
    return done;
  });
  service.serve(contract.moveConfirmed, async (call) =>
    ok(await moveConfirmed(db, byService(call), call.params.id, call.body)),
  );
  service.serve(contract.completeConfirmed, async (call) => {
    await completeConfirmed(db, byService(call), call.params.id, call.body.by);
    return done;
  });
}
