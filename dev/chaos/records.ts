import type { CardBanks } from './card-banks';
import type { Client, Reply } from './client';
import type { Dashboard } from './dashboard';
import type { CaughtMail } from './evidence';
import type { Operator } from './operator';
import type { Person } from './people';
import type { Neighbours } from './places';
import type { AccountPlan, BookingPlan, DisputePlan, EarnerPlan, PaymentTerms, SignUpPlan } from './plan';

/** A command that somebody gave and gave up on: it may or may not have taken effect. */
export type Doubt = 'confirm' | 'decline' | 'move' | 'cancel by student' | 'cancel by tutor';

/** When something was asked for and when its answer was there, in milliseconds since the epoch: it happened in between. */
export interface Span {
  from: number;
  to: number;
}

/** Who else may have a time that was asked for: whether it could be refused for that. */
export interface Wanted {
  byTutor: boolean;
  byStudent: boolean;
}

export interface MoveRecord {
  by: 'student' | 'tutor';
  to: string;
  /** What a student's late cancel gives back there, in percent. */
  refundPercent: number;
  wanted: Wanted;
  /** Undefined when it was given up on. */
  reply?: Reply;
}

export interface RefundRecord {
  by: 'tutor' | 'dashboard';
  amount: number;
  /** Asked for in the moment of a cancel: either may be first. */
  beside: boolean;
  /** Of a tutor who did not give up. */
  reply?: Reply;
  /** How much Stripe made of one in its dashboard. */
  made?: number;
}

/** What the clients of one booking were told. */
export interface BookingRecord {
  plan: BookingPlan;
  student: Person;
  tutor: Person;
  tutorIsInstant: boolean;
  /** Who else may have the time that was asked for. */
  wanted: Wanted;
  /** Unknown when the request was refused before there was a booking. */
  id: string | undefined;
  asked: Reply | undefined;
  askedAt: Span;
  /** Time has been let pass: the request is an hour older. */
  aged: boolean;
  /** The authorisation was cancelled at Stripe before the tutor answered. */
  lapsed: boolean;
  confirm?: Reply;
  decline?: Reply;
  cancels: { by: 'student' | 'tutor'; reply: Reply }[];
  /** When each party has asked to cancel, answered or not. */
  cancelledAt: { by: 'student' | 'tutor'; at: Span }[];
  moves: MoveRecord[];
  refunds: RefundRecord[];
  /** Somebody gave up, and the play ended there. */
  gaveUp: boolean;
  doubts: Doubt[];
}

/** What the clients of one direct payment were told. */
export interface PaymentRecord {
  plan: PaymentTerms;
  student: Person;
  tutor: Person;
  id: string | undefined;
  asked: Reply | undefined;
  refunds: { amount: number; reply: Reply }[];
  gaveUp: boolean;
  /** Amounts of refunds that somebody asked for and gave up on. */
  doubtful: number[];
}

/** What a payee was told who asked to be paid out, once, under a key of its own. */
export interface AskRecord {
  /** In minor units; undefined: all that is payable. */
  amount: number | undefined;
  at: Span;
  /** Undefined when it was given up on. */
  reply?: Reply;
}

/** What the payee of one story was told. */
export interface EarnerRecord {
  plan: EarnerPlan;
  person: Person;
  asks: AskRecord[];
}

/** What was said against a dispute, and how that was answered. */
export interface DisputeRecord {
  plan: DisputePlan;
  paymentId: string;
  payee: Person;
  /** What the payee says. */
  statement: string;
  /** Its id at Stripe; undefined when there was nothing left to dispute. */
  stripeId: string | undefined;
  stated?: Reply;
  submitted?: Reply;
  accepted?: Reply;
}

interface SignUpRecord {
  plan: SignUpPlan;
  person: Person;
}

/** Whose account was taken and given back. */
export interface AccountRecord {
  plan: AccountPlan;
  person: Person;
  suspended: number;
  hasAnotherPassword: boolean;
}

/** Everything that was said to clients in a run. */
export interface Records {
  bookings: BookingRecord[];
  payments: PaymentRecord[];
  earners: EarnerRecord[];
  disputes: DisputeRecord[];
  signUps: SignUpRecord[];
  accounts: AccountRecord[];
  /** People whose sign-up was given up on. */
  strangers: Pick<Person, 'email' | 'firstName' | 'lastName'>[];
  /** Plays that could not be played to their end, in sentences. */
  broken: string[];
}

export const emptyRecords = (): Records => ({
  bookings: [],
  payments: [],
  earners: [],
  disputes: [],
  signUps: [],
  accounts: [],
  strangers: [],
  broken: [],
});

export interface Cast extends Pick<Operator, 'callOff' | 'triggerWeek' | 'triggerNight'> {
  client: Client;
  students: Person[];
  tutors: (Person & { instant: boolean })[];
  /** By the numbers of their stories. */
  earners: Person[];
  /** Sends what speaks against disputes, and gives them up. */
  admin: Person;
  /** Who may have which time in the whole script. */
  neighbours: Neighbours;
  /** The moment that the slots of the script count from, a quarter hour. */
  startsFrom: number;
  /** Stops Temporal for some seconds; returns when it is down. */
  stopTemporal(): Promise<void>;
  /** Plays the bank of 3-D Secure. */
  bank(intent: string, verdict: 'complete' | 'fail'): Promise<void>;
  dashboard: Dashboard;
  cardBanks: CardBanks;
  /** Stands for an hour that passes: the booking's request is an hour older afterwards. */
  letTimePass(bookingId: string): Promise<void>;
  /**
   * Stands for the days that the earnings of a payment rest, once its saga has said that they do. Returns when they are due and their
   * money is available at Stripe. @throws Error when that takes too long
   */
  letEarningsRest(paymentId: string): Promise<void>;
  /** What is in the catcher's inbox; nothing while it is down. */
  mails(): Promise<CaughtMail[]>;
  /** A part of every e-mail address, so that people of different runs never share one. */
  run: string;
}
