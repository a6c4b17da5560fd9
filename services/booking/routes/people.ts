import { ProblemError } from '../../../kernel/errors';
import type { Party } from '../../../kernel/session';
import { listActs } from '../../../platform/audit';
import type { User } from '../../../platform/auth';
import type { Service } from '../../../platform/http-server';
import { ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { bookingContract as contract, type ListQuery } from '../contract';
import { partyOf } from '../rules/commands';
import { visibleTo } from '../rules/visible';
import { listBookings, type Owner, readBookingOrRequested, readTimeline } from '../store/reads';
import { createBookSession } from './book-session';
import { serveCommands } from './commands';

/** What students, tutors and administrators do: book, read, and ask the saga for a change. */
export function servePeople(service: Service, deps: ServiceDeps): void {
  const { db } = deps.database;

  service.serve(contract.bookSession, createBookSession(deps));

  service.serve(contract.listActs, async ({ query }) => ok(await listActs(db, query)));

  service.serve(contract.listBookings, async ({ query, user }) => {
    const { items, nextCursor } = await listBookings(db, ownerOf(query, user), query);
    // Listed as one's own, so that only an administrator can be no party of it.
    return ok({ items: items.map((item) => visibleTo(partyOf(item, user) ?? 'operator', item)), nextCursor });
  });

  service.serve(contract.getBooking, async ({ params, user }) => {
    const booking = await readBookingOrRequested(db, params.id);
    return ok(visibleTo(requireParty(booking, user), booking));
  });

  service.serve(contract.bookingTimeline, async ({ params, user }) => {
    const booking = await readBookingOrRequested(db, params.id);
    requireParty(booking, user);
    return ok({ items: await readTimeline(db, booking.id) });
  });

  serveCommands(service, deps);
}

function ownerOf({ role }: ListQuery, user: User): Owner {
  const as = role ?? user.role;
  if (as === 'admin') return 'all';
  return as === 'student' ? { studentId: user.id } : { tutorId: user.id };
}

/** @throws ProblemError not_found to a stranger */
function requireParty(booking: { studentId: string; tutorId: string }, user: User): Party {
  const party = partyOf(booking, user);
  if (party === undefined) throw new ProblemError('not_found');
  return party;
}
