import { DAY, MINUTE } from './time';

// A session between a student and a tutor: the numbers and the people that several contexts must agree on.

/** Sessions start on these: the offset of every zone is a multiple of it today, so UTC's quarter hours are everybody's. */
export const START_GRID_MINUTES = 15;
/** The shortest and the longest session, both included. */
export const SHORTEST_MINUTES = 30;
export const LONGEST_MINUTES = 240;
/** Lengths go up in steps of this. */
export const LENGTH_STEP_MINUTES = 15;

/** The furthest day ahead on which a session can start. */
export const HORIZON_DAYS = 365;
export const HORIZON_MS = HORIZON_DAYS * DAY;

/** The least of an hourly price and of a package, in minor units: a price below this is a mistake. What a session costs has the least of its currency. */
export const LEAST_PRICE = 100;

/** So often a booking can be moved: each move holds another time of the tutor, and tells two people. */
export const MOST_MOVES = 20;

/** So many bookings of a student may be without an authorised payment: each holds a tutor's time for nothing, a quarter of an hour long. */
export const MOST_UNPAID = 3;

/** How long after its end, or its cancel, a session can be objected to before its tutor may be paid. */
export const EARNINGS_REST_MS = 2 * DAY;

/** As what a person meets a booking. An administrator who is no party of it is an operator. */
export const PARTIES = ['student', 'tutor', 'operator'] as const;
export type Party = (typeof PARTIES)[number];

/** Whether a start lies on the quarter hour. `start` is in milliseconds since the epoch. */
export function isOnGrid(start: number): boolean {
  return start % (START_GRID_MINUTES * MINUTE) === 0;
}
