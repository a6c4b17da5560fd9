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

/** What is paid by one direct payment, and how. */
export interface PaymentTerms extends Card {
  number: number;
  student: number;
  amount: number;
  pauseMs: number;
}

export interface PaymentPlan extends PaymentTerms, Patience {
  kind: 'payment';
  tutor: number;
  /** What the tutor gives back, in percent of the amount. Two numbers are two refunds that race. */
  refundPercents: number[];
  /** Temporal is stopped when the refunds are asked for. */
  withoutTemporal: boolean;
}

export interface SignUpPlan extends Patience {
  kind: 'sign-up';
  number: number;
  role: 'student' | 'tutor';
  pauseMs: number;
}

/**
 * What a payee has told Stripe: nothing; who they are, and no bank account; or all of it, with a bank account that takes what is sent, has
 * been closed, has nothing today, or sends back what it had taken.
 */
export type Standing = 'nothing' | 'no bank' | BankKind;
export type BankKind = 'takes' | 'closed' | 'passing' | 'returns';

/** Money given back of a payment whose earnings are paid out, in percent of it: in the moment of asking for the payout, or after it. */
export interface Clawback {
  percent: number;
  when: 'beside' | 'after';
}

/** What a bank says of a dispute. `percent`: of one that is won, how much of what was taken comes back. */
export interface Verdict {
  to: 'won' | 'lost' | 'escalated' | 'closed';
  percent: number;
}

/** The holder of a card disputes a payment, and what becomes of it. A payment is disputed once at most. */
export interface DisputePlan {
  /** What is claimed, in percent of what was paid; 100: all that is left of it. */
  percent: number;
  /** The bank asks first, and takes nothing. */
  inquiry: boolean;
  /** How long the bank takes what speaks against it. */
  answerable: 'for days' | 'for hours' | 'never';
  /** Its payee says something, and then an administrator sends that; or an administrator gives it up. */
  answer: 'nothing' | 'stated' | 'submitted' | 'accepted';
  /** What the bank says, in order. */
  verdicts: Verdict[];
  /** Before, in the moment of or after what else becomes of the payment: a cancel, or being paid out. */
  when: 'before' | 'beside' | 'after';
  /** What Stripe has to say of its opening never arrives. */
  losesWebhooks: boolean;
  pauseMs: number;
}

/** A payee earns something and has it paid out. */
export interface Round extends Patience {
  earns: PaymentTerms[];
  /** Who opens the payout: the payee by the button, or the week's Schedule, which is triggered so many times. */
  by: { button: Button } | { week: number };
  /** When they tell Stripe all that it asks, with a bank account that takes what is sent. Never: an operator calls off what waits for it. */
  mends: 'before' | 'waiting' | 'never';
  clawback: Clawback | undefined;
  /** Of the payment that money is given back of, too. */
  dispute: DisputePlan | undefined;
}

export interface Button {
  /** How much of what was earned is asked for, in percent; 100 is asked for without an amount. */
  percent: number;
  /** How many copies of the request are sent at once, under one key. */
  copies: number;
  /** How many others ask at the same moment, each under a key of its own. */
  rivals: number;
}

/** Somebody who lives on direct payments, and what becomes of their payouts. One person each. */
export interface EarnerPlan {
  kind: 'earner';
  number: number;
  currency: 'EUR' | 'USD';
  starts: Standing;
  /** A payment whose earnings rest until the run is over. */
  resting: PaymentTerms;
  rounds: Round[];
  pauseMs: number;
}

/** Somebody who plays in nothing else: an administrator keeps them out for a while, and they set another password. */
export interface AccountPlan {
  kind: 'account';
  number: number;
  role: 'student' | 'tutor';
  acts: ('suspend' | 'reset')[];
  pauseMs: number;
}

export type Plan = BookingPlan | PaymentPlan | SignUpPlan;

export interface Script {
  /** Hourly prices in cents; every second tutor takes bookings at once. */
  tutors: { hourly: number; instant: boolean }[];
  students: number;
  plans: Plan[];
  /** They play beside all others. */
  earners: EarnerPlan[];
  accounts: AccountPlan[];
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
  /** Once it is confirmed. */
  dispute: DisputePlan | undefined;
}
