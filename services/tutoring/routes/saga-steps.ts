import type { Service } from '../../../platform/http-server';
import { byService } from '../../../platform/idempotency';
import { created, done, ok } from '../../../platform/replies';
import { SWEEP_BATCH } from '../../../platform/saga-request';
import type { ServiceDeps } from '../../../platform/service';
import { tutoringContract as contract } from '../contract';
import { quoteFor } from '../rules/quote';
import { keepSlot, moveSlot, reserveSlot, unreserveSlot } from '../store/moves';
import { judgePrices, markPricesTold, untoldRefusals } from '../store/pricing';
import { createTutor, removeTutor } from '../store/profile';
import { receiveReview } from '../store/ratings';
import { readAvailability, readTutor } from '../store/reads';
import { blockSlot, extendHold, holdSlot, releaseSlot } from '../store/slots';
import { relistTutor, unlistTutor } from '../store/suspensions';

/** What activities of sagas call: sign-up makes and removes profiles, booking asks for a quote and takes the tutor's time, the
 * sweep has prices judged. */
export function serveSagaSteps(service: Service, deps: ServiceDeps): void {
  serveSignUp(service, deps);
  serveSuspensions(service, deps);
  serveBooking(service, deps);
  serveMoves(service, deps);
  serveSweep(service, deps);
}

function serveSignUp(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.createTutor, async (call) => created(await createTutor(db, byService(call), call.body)));

  service.serve(contract.receiveReview, async (call) => {
    await receiveReview(db, byService(call), { ...call.params, tutorId: call.params.id, ...call.body });
    return done;
  });

  service.serve(contract.removeTutor, async (call) => {
    await removeTutor(db, byService(call), call.params.id);
    return done;
  });
}

function serveSuspensions(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.unlistTutor, async (call) => {
    await unlistTutor(db, byService(call), call.params.id, call.body.suspensionId);
    return done;
  });

  service.serve(contract.relistTutor, async (call) => {
    await relistTutor(db, byService(call), call.params.id, call.body.suspensionId);
    return done;
  });
}

function serveBooking(service: Service, { config, database: { db } }: ServiceDeps): void {
  service.serve(contract.quoteSession, async ({ params, body, receivedAt }) => {
    const tutor = await readTutor(db, params.id);
    const hours = await readAvailability(db, tutor.id, tutor.timeZone);
    return ok(quoteFor(tutor, hours, body, receivedAt.getTime(), config.SETTLEMENT_CURRENCIES));
  });

  service.serve(contract.holdSlot, async (call) =>
    ok(await holdSlot(db, byService(call), call.params.bookingId, call.body)),
  );

  service.serve(contract.extendHold, async (call) =>
    ok(await extendHold(db, byService(call), call.params.bookingId, call.body.expiresAt)),
  );

  service.serve(contract.blockSlot, async (call) => ok(await blockSlot(db, byService(call), call.params.bookingId)));

  service.serve(contract.releaseSlot, async (call) => {
    await releaseSlot(db, byService(call), call.params.bookingId);
    return done;
  });
}

function serveSweep(service: Service, { config, database: { db } }: ServiceDeps): void {
  const settling = config.SETTLEMENT_CURRENCIES;
  service.serve(contract.sweepPrices, async () => {
    const unlisted = await judgePrices(db, settling);
    return ok({ unlisted, untold: await untoldRefusals(db, settling, SWEEP_BATCH) });
  });

  service.serve(contract.markPricesTold, async ({ params, body }) => {
    await markPricesTold(db, params.id, body.refusedAt);
    return done;
  });
}

function serveMoves(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.reserveSlot, async (call) =>
    ok(await reserveSlot(db, byService(call), call.params.bookingId, call.body.start)),
  );

  service.serve(contract.unreserveSlot, async (call) => {
    await unreserveSlot(db, byService(call), call.params.bookingId);
    return done;
  });

  service.serve(contract.keepSlot, async (call) => {
    await keepSlot(db, byService(call), call.params.bookingId, call.body.start);
    return done;
  });

  service.serve(contract.moveSlot, async (call) =>
    ok(await moveSlot(db, byService(call), call.params.bookingId, call.body.start)),
  );
}
