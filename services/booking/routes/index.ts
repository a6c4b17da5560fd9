import { ProblemError } from '../../../kernel/errors';
import type { User } from '../../../platform/auth';
import type { Service } from '../../../platform/http-server';
import type { ServiceDefinition, ServiceDeps } from '../../../platform/service';
import { bookingContract as api, type ListQuery } from '../contract';
import { ok } from '../replies.routes';
import { sideOf, visibleTo } from '../rules';
import { listBookings, type Owner, readBookingOrRequested, readTimeline } from '../store/reads';
import { createBookSession } from './book-session';
import { serveCommands } from './commands';
import { serveInternal } from './saga-steps';

/** Bookings: what students, tutors and administrators do to them, and the steps of the booking saga. */
export const bookingService: ServiceDefinition = {
  name: 'booking',
  contract: api,
  routes(service, deps) {
    service.serve(api.bookSession, createBookSession(deps));
    serveReads(service, deps);
    serveCommands(service, deps);
    serveInternal(service, deps);
    return undefined;
  },
};

function serveReads(service: Service, { database: { db } }: ServiceDeps): void {
  service.serve(api.listBookings, async ({ query, user }) => {
    const { items, nextCursor } = await listBookings(db, ownerOf(query, user), query);
    // Listed as one's own, so nobody's side is unknown here but an administrator's.
    return ok({ items: items.map((item) => visibleTo(sideOf(item, user) ?? 'operator', item)), nextCursor });
  });

  service.serve(api.getBooking, async ({ params, user }) => {
    const booking = await readBookingOrRequested(db, params.id);
    return ok(visibleTo(requireSide(booking, user), booking));
  });

  service.serve(api.bookingTimeline, async ({ params, user }) => {
    const booking = await readBookingOrRequested(db, params.id);
    requireSide(booking, user);
    return ok({ items: await readTimeline(db, booking.id) });
  });
}

function ownerOf({ role }: ListQuery, user: User): Owner {
  const as = role ?? user.role;
  if (as === 'admin') return 'all';
  return as === 'student' ? { studentId: user.id } : { tutorId: user.id };
}

/** @throws ProblemError not_found to a stranger */
function requireSide(booking: { studentId: string; tutorId: string }, user: User) {
  const side = sideOf(booking, user);
  if (side === undefined) throw new ProblemError('not_found');
  return side;
}
