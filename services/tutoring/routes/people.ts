import { z } from 'zod';
import { MINUTE } from '../../../kernel/time';
import { listActs } from '../../../platform/audit';
import { listCursor } from '../../../platform/cursor';
import type { Service } from '../../../platform/http-server';
import { byUser } from '../../../platform/idempotency';
import { created, done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { tutoringContract as contract } from '../contract';
import { refuseIfAny } from '../rules/fields';
import { availabilityErrors, freeStarts, slotWindow } from '../rules/hours';
import { pricingErrors } from '../rules/prices';
import { certificationErrors, profileErrors } from '../rules/profile';
import { setPricing } from '../store/pricing';
import {
  addCertification,
  createProfile,
  removeCertification,
  setAvailability,
  updateProfile,
  verifyTutor,
} from '../store/profile';
import { readOwnTutor, readPublicAvailability, readTutor } from '../store/reads';
import { listTutors } from '../store/search';
import { takenSpans } from '../store/slots';

/** The cursor of a list of slots: the last start, in milliseconds since 1970. */
export const slotCursor = listCursor(z.tuple([z.int().min(0)]));

/** What people call: anybody searches and reads tutors, tutors change their own profile, administrators verify tutors. */
export function servePeople(service: Service, deps: ServiceDeps): void {
  serveSearch(service, deps);
  serveProfile(service, deps);
}

function serveSearch(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(contract.listTutors, async ({ query }) => ok(await listTutors(db, query)));

  service.serve(contract.getOwnTutor, async ({ user }) => ok(await readOwnTutor(db, user.id)));

  service.serve(contract.getTutor, async ({ params }) => ok(await readTutor(db, params.id)));

  service.serve(contract.listTutorSlots, async ({ params, query, receivedAt }) => {
    const after = query.cursor === undefined ? undefined : slotCursor.read(query.cursor)[0];
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
      nextCursor: more ? slotCursor.write([last]) : null,
    });
  });
}

function serveProfile(service: Service, { config, database: { db } }: ServiceDeps): void {
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
    refuseIfAny(pricingErrors(call.body, config.SETTLEMENT_CURRENCIES));
    const settling = config.SETTLEMENT_CURRENCIES;
    const options = await setPricing(db, byUser(call), call.user.id, call.body.options, settling);
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

  service.serve(contract.listActs, async ({ query }) => ok(await listActs(db, query)));

  service.serve(contract.verifyTutor, async (call) =>
    ok(await verifyTutor(db, byUser(call), call.params.id, { adminId: call.user.id, ...call.body })),
  );
}
