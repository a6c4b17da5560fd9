import type { BookingPlan, Script, Slot } from './plan';

/** A time that somebody may have at some moment of a run. */
interface Place {
  /** Whose it is: one session may be at several places, one after another. */
  session: string;
  student: number;
  tutor: number;
  slot: Slot;
}

/** Who else may have a time, so that its refusal can be true. */
export interface Neighbours {
  /** Whether another session of the tutor may be there. */
  ofTutor(session: string, tutor: number, slot: Slot): boolean;
  /** Whether another session of the student may be there. */
  ofStudent(session: string, student: number, slot: Slot): boolean;
}

export const sessionOf = ({ number }: Pick<BookingPlan, 'number'>) => `booking ${number}`;
/** The session of whoever asks for the time that the move with this index is about to leave. */
export const claimOf = ({ number }: Pick<BookingPlan, 'number'>, move: number) => `claim ${move} on booking ${number}`;

const endOf = ({ minutesAhead, durationMinutes }: Slot) => minutesAhead + durationMinutes;

export const meet = (one: Slot, other: Slot) => one.minutesAhead < endOf(other) && other.minutesAhead < endOf(one);

/** Where the session of a booking is before each of its moves, if all of them are made. */
export function beforeMove({ slot, moves }: Pick<BookingPlan, 'slot' | 'moves'>, move: number): Slot {
  return moves[move - 1]?.to ?? slot;
}

export function neighbours({ plans }: Pick<Script, 'plans'>): Neighbours {
  const places = plans.flatMap((plan) => (plan.kind === 'booking' ? placesOf(plan) : []));
  const isThere = (session: string, slot: Slot, isTheirs: (place: Place) => boolean) =>
    places.some((place) => place.session !== session && isTheirs(place) && meet(place.slot, slot));
  return {
    ofTutor: (session, tutor, slot) => isThere(session, slot, (place) => place.tutor === tutor),
    ofStudent: (session, student, slot) => isThere(session, slot, (place) => place.student === student),
  };
}

function placesOf(plan: BookingPlan): Place[] {
  const { student, tutor, slot, moves } = plan;
  const session = sessionOf(plan);
  return [
    { session, student, tutor, slot },
    ...moves.map(({ to }) => ({ session, student, tutor, slot: to })),
    ...moves.flatMap(({ claimedBy }, index) =>
      claimedBy === undefined
        ? []
        : [{ session: claimOf(plan, index), student: claimedBy, tutor, slot: beforeMove(plan, index) }],
    ),
  ];
}
