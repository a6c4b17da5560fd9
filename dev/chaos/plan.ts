// What the people of a run will do.

/** How the student's bank answers when it is asked by 3-D Secure; `none`: it is not asked. */
export type Bank = 'none' | 'complete' | 'fail' | 'abandon';

/** People who ask only once: after the first 503, or answer that does not come, they never come back. */
export interface Patience {
  givesUp: boolean;
}

export interface Card {
  card: string;
  bank: Bank;
  declines: boolean;
}

/** A session's place in time, relative to the start of the run, and the share a student gets back who cancels it, in percent. */
export interface Slot {
  minutesAhead: number;
  durationMinutes: number;
  refundPercent: number;
}

export interface BookingPlan extends Card, Patience, Changes {
  kind: 'booking';
  number: number;
  student: number;
  tutor: number;
  slot: Slot;
  /** The number of an earlier booking whose slot this booking wants too. */
  rivalOf: number | undefined;
  /** How many copies of the request are sent at once, under one key. */
  copies: number;
  /** What a tutor who must be asked does. */
  answer: 'confirm' | 'decline' | 'none';
  /** When the student cancels: as soon as the wait begins, at the same moment as the tutor answers, or once it is confirmed. */
  studentCancels: 'waiting' | 'racing' | 'confirmed' | 'never';
  tutorCancels: boolean;
  pauseMs: number;
}

export interface PaymentPlan extends Card, Patience {
  kind: 'payment';
  number: number;
  student: number;
  tutor: number;
  amount: number;
  /** What the tutor gives back, in percent of the amount. Two numbers are two refunds that race. */
  refundPercents: number[];
  /** Temporal is stopped when the refunds are asked for. */
  withoutTemporal: boolean;
  pauseMs: number;
}

export interface SignUpPlan extends Patience {
  kind: 'sign-up';
  number: number;
  role: 'student' | 'tutor';
  pauseMs: number;
}

export type Plan = BookingPlan | PaymentPlan | SignUpPlan;

export interface Script {
  /** Hourly prices in cents; every second tutor takes bookings at once. */
  tutors: { hourly: number; instant: boolean }[];
  students: number;
  plans: Plan[];
}

/** Where a confirmed session is moved, and by whom. */
export interface Move {
  by: 'student' | 'tutor';
  to: Slot;
  /** A student, by number, who asks for the time that the session is about to leave in the moment of the move. */
  claimedBy: number | undefined;
}

/** Money that is given back beside what the terms of a cancel give, in percent of the price. */
export interface PartialRefund {
  /** The tutor by the public API, or somebody in Stripe's dashboard. */
  by: 'tutor' | 'dashboard';
  percent: number;
  /** Made before anybody cancels, or in the moment of it. */
  when: 'before' | 'beside';
  /** What Stripe has to say of it never arrives. */
  losesWebhooks: boolean;
}

/** What happens to a booking beside what its people were drawn to do at first. */
export interface Changes {
  moves: Move[];
  refunds: PartialRefund[];
  /** An hour passes between asking and what comes after it, so that the student's second thoughts come too late. */
  timePasses: boolean;
  /** While the tutor is asked, somebody cancels the authorisation in Stripe's dashboard. */
  lapses: boolean;
}
