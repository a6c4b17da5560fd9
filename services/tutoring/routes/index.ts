import { ProblemError } from '../../../kernel/errors';
import { endOf, MINUTE } from '../../../kernel/time';
import type { User } from '../../../platform/auth';
import type { Service } from '../../../platform/http-server';
import type { KeyedRequest } from '../../../platform/idempotency';
import type { ServiceDefinition, ServiceDeps } from '../../../platform/service';
import { tutoringContract as contract } from '../contract';
import {
  assertOffered,
  availabilityErrors,
  certificationErrors,
  freeStarts,
  pricingErrors,
  profileErrors,
  readSlotCursor,
  refuseIfAny,
  sessionPrice,
  slotCursor,
  slotWindow,
  spelledSubject,
} from '../rules';
import {
  addCertification,
  createProfile,
  createTutor,
  removeCertification,
  removeTutor,
  setAvailability,
  setPricing,
  updateProfile,
  verifyTutor,
} from '../store/profile';
import { listTutors, readAvailability, readOwnTutor, readPublicAvailability, readTutor } from '../store/search';
import { blockSlot, extendHold, holdSlot, moveSlot, releaseSlot, takenSpans } from '../store/slots';

const ok = <Body>(body: Body) => ({ status: 200 as const, body });
const created = <Body>(body: Body) => ({ status: 201 as const, body });
const done = { status: 204 as const, body: undefined };

/** Tutors: their profiles, hours and prices, and who has which of their time. */
export const tutoringService: ServiceDefinition = {
  name: 'tutoring',
  contract,
  // A plan for all languages would gather every speaker of English to sort them, to show twenty.
  planByValue: true,
  routes(service, deps) {
    serveSearch(service, deps);
    serveProfile(service, deps);
    serveSignUp(service, deps);
    serveSlots(service, deps);
    return undefined;
  },
};

function serveSearch(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.listTutors, async ({ query }) => ok(await listTutors(db, query)));

  // Before /api/tutors/{id}, which would take `profile` for an id.
  service.serve(contract.getOwnTutor, async ({ user }) => ok(await readOwnTutor(db, user.id)));

  service.serve(contract.getTutor, async ({ params }) => ok(await readTutor(db, params.id)));

  service.serve(contract.listTutorSlots, async ({ params, query, receivedAt }) => {
    const after = query.cursor === undefined ? undefined : readSlotCursor(query.cursor);
    const window = slotWindow(query, receivedAt.getTime(), after);
    const minutes = query.durationMinutes;
    const [hours, taken] = await Promise.all([
      readPublicAvailability(db, params.id),
      takenSpans(db, params.id, { start: window.start, end: window.end + minutes * MINUTE }),
    ]);
    const starts = freeStarts(hours, taken, window, minutes, query.limit + 1);
    const iso = (instant: number) => new Date(instant).toISOString();
    const last = starts[query.limit - 1];
    const more = starts.length > query.limit && last !== undefined;
    return ok({
      items: starts.slice(0, query.limit).map((start) => ({ start: iso(start), end: iso(start + minutes * MINUTE) })),
      nextCursor: more ? slotCursor(last) : null,
    });
  });
}

function serveProfile(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.createProfile, async (call) => {
    refuseIfAny(profileErrors(call.body));
    return created(await createProfile(db, byUser(call), call.user.id, call.body));
  });

  service.serve(contract.updateProfile, async (call) => {
    refuseIfAny(profileErrors(call.body));
    return ok(await updateProfile(db, byUser(call), call.user.id, call.body));
  });

  service.serve(contract.setAvailability, async (call) => {
    refuseIfAny(availabilityErrors(call.body));
    return ok(await setAvailability(db, byUser(call), call.user.id, call.body));
  });

  service.serve(contract.setPricing, async (call) => {
    refuseIfAny(pricingErrors(call.body));
    const options = await setPricing(db, byUser(call), call.user.id, call.body.options);
    return ok({ options });
  });

  service.serve(contract.addCertification, async (call) => {
    refuseIfAny(certificationErrors(call.body));
    return created(await addCertification(db, byUser(call), call.user.id, call.body));
  });

  service.serve(contract.removeCertification, async (call) => {
    await removeCertification(db, byUser(call), call.user.id, call.params.id);
    return done;
  });

  service.serve(contract.verifyTutor, async (call) =>
    ok(await verifyTutor(db, byUser(call), call.params.id, call.user.id)),
  );
}

function serveSignUp(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.createTutor, async (call) => created(await createTutor(db, byService(call), call.body)));

  service.serve(contract.removeTutor, async (call) => {
    await removeTutor(db, byService(call), call.params.id);
    return done;
  });
}

function serveSlots(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.quoteSession, async ({ params, body, receivedAt }) => {
    const { subject, scheduledAt, durationMinutes, pricingOptionId } = body;
    const tutor = await readTutor(db, params.id);
    if (!tutor.listed) throw new ProblemError('not_found', 'The tutor takes no bookings');
    const spelled = spelledSubject(tutor.subjects, subject);
    const price = sessionPrice(tutor.pricing, durationMinutes, pricingOptionId);
    const hours = await readAvailability(db, tutor.id, tutor.timeZone);
    assertOffered(hours, Date.parse(scheduledAt), durationMinutes, receivedAt.getTime());
    const { displayName, timeZone, instantBooking } = tutor;
    return ok({
      tutorId: tutor.id,
      displayName,
      timeZone,
      instantBooking,
      subject: spelled,
      price,
      startsAt: scheduledAt,
      endsAt: endOf(scheduledAt, durationMinutes),
    });
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

  service.serve(contract.moveSlot, async (call) =>
    ok(await moveSlot(db, byService(call), call.params.bookingId, call.body.start)),
  );
}

/** The request under its user's own key, if it carries one. */
function byUser(call: { user: User; idempotencyKey?: string; fingerprint: string }): KeyedRequest | undefined {
  const { user, idempotencyKey: key, fingerprint } = call;
  return key === undefined ? undefined : { owner: user.id, key, fingerprint };
}

function byService({
  idempotencyKey: key,
  fingerprint,
}: {
  idempotencyKey: string;
  fingerprint: string;
}): KeyedRequest {
  return { owner: 'service', key, fingerprint };
}
