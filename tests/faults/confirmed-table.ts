import { ENDING_STEPS } from '../../workflows/booking-confirmed';
import { MOVE_STEPS } from '../../workflows/booking-moves';
import type { BookingFacts } from '../support/booking-facts';
import { MONEY } from './money';

/** What meets a step; what takes longest comes first. */
export const FAULTS = {
  killed: 'takes effect and its worker is killed',
  failing: 'fails at every attempt for longer than its client waits, until its service is back',
  hangs: 'hangs at its first attempt, and reaches the service when all is done',
  hangsAndCancelled: 'hangs, the other side cancels, and it reaches the service when that is over',
  cancelled: 'takes effect, and the other side cancels before it is answered',
  refused: 'is refused; where it must happen, an operator has it tried again',
  undoRefused: 'is to be undone, which is refused until an operator has it tried again',
  answerLost: 'takes effect and its answer is lost',
} as const;
export type Fault = keyof typeof FAULTS;

/** What is asked of a confirmed booking: by its tutor, but for the cancel. */
export const WAYS = ['move', 'cancel', 'complete'] as const;
export type Way = (typeof WAYS)[number];

/** `cancelledByTerms`: half is given back. Whoever cancels a move gets everything. */
type Ending = 'moved' | 'stays' | 'movedThenCancelled' | 'cancelled' | 'cancelledByTerms' | 'completed';
/** Status and code of an answer. */
export type Answer = [status: number, code?: string];
/** Whether somebody else gets the session's time, and the time that it was to move to, when all is over; asked where it matters. */
type Open = Partial<Record<'old' | 'new', 'free' | 'taken'>>;

export interface Outcome {
  ending: Ending;
  /** To whoever asked. */
  answer: Answer;
  open: Open;
}
type Cells = Record<Fault, Outcome | { impossible: string }>;

/** A step of what is asked. */
export interface Row {
  way: Way;
  step: string;
  does: string;
  undo: string | null;
  /** How its calls are known. */
  call: string;
  /** What an operator is asked about when it is refused. */
  asks: string;
  /** At so many failures whoever asked has waited in vain: a move was given up, a local step goes on as a recorded one. */
  outlasts: number;
  cells: Cells;
}

const DONE: Answer = [200, undefined];
const moved: Outcome = { ending: 'moved', answer: DONE, open: { old: 'free' } };
const movedThenCancelled: Outcome = { ending: 'movedThenCancelled', answer: DONE, open: { old: 'free', new: 'free' } };
const stays = (code: string, open: Open = { old: 'taken', new: 'free' }): Outcome => ({
  ...{ ending: 'stays', answer: [409, code], open },
});
const cancelled: Outcome = {
  ending: 'cancelled',
  answer: [409, 'invalid_state'],
  open: { old: 'free', new: 'free' },
};

/** Before the pivot of a move. Whoever asks again under the same key when the platform is back has the move made. */
const tentative = { killed: moved, failing: moved, hangs: moved, answerLost: moved, hangsAndCancelled: cancelled };

const OF_A_MOVE: Record<keyof typeof MOVE_STEPS, Cells> = {
  admit: {
    ...tentative,
    cancelled: movedThenCancelled,
    refused: stays('conflict'),
    undoRefused: { impossible: 'it changes nothing' },
  },
  'reserve-slot': {
    ...tentative,
    cancelled: movedThenCancelled,
    refused: stays('slot_unavailable', { old: 'taken', new: 'taken' }),
    undoRefused: stays('conflict'),
  },
  booking: {
    ...tentative,
    cancelled: movedThenCancelled,
    refused: stays('conflict'),
    undoRefused: { impossible: 'the pivot' },
  },
  'keep-slot': {
    ...tentative,
    cancelled: movedThenCancelled,
    hangsAndCancelled: movedThenCancelled,
    refused: moved,
    undoRefused: { impossible: 'after the pivot' },
  },
};

/** What was decided happens, and a cancel of the other side comes too late. */
const forward = (ending: Ending): Cells => {
  const done: Outcome = { ending, answer: DONE, open: {} };
  return {
    killed: done,
    failing: done,
    hangs: done,
    hangsAndCancelled: done,
    cancelled: done,
    refused: done,
    undoRefused: { impossible: 'nothing takes it back' },
    answerLost: done,
  };
};
const byTerms = forward('cancelledByTerms');
const completed = forward('completed');

const OF_A_CANCEL: Record<keyof typeof ENDING_STEPS.cancel, Cells> = {
  cancel: byTerms,
  'release-slot': byTerms,
  refund: byTerms,
  'release-earnings': byTerms,
};
const OF_A_COMPLETION: Record<keyof typeof ENDING_STEPS.complete, Cells> = {
  complete: completed,
  'release-earnings': completed,
};

interface StepSaid {
  does: string;
  undo?: string | null;
  runs: 'local' | 'recorded';
}

/** Failures after which a local step goes on as a recorded one, and one of that. */
const UNTIL_RECORDED = 8;
/** A move tries a step six times before it gives itself up, and is asked for again. */
const UNTIL_GIVEN_UP = 7;
/** Whoever cancels or completes waits through three of them. */
const UNTIL_ANSWERED = 5;

function rows(
  way: Way,
  steps: Record<string, StepSaid>,
  cells: Record<string, Cells>,
  more: (step: string) => Partial<Row> = () => ({}),
): Row[] {
  return Object.entries(steps).map(([step, { does, undo = null, runs }]) => {
    const itsCells = cells[step];
    if (!itsCells) throw new Error(`the step ${step} of a ${way} has no cells`);
    const outlasts = runs === 'local' ? UNTIL_RECORDED : way === 'move' ? UNTIL_GIVEN_UP : UNTIL_ANSWERED;
    return { way, step, does, undo, call: step, asks: step, outlasts, cells: itsCells, ...more(step) };
  });
}

/** Every step of a confirmed booking against every fault. */
export const TABLE: Row[] = [
  ...rows('move', MOVE_STEPS, OF_A_MOVE, (step) => ({
    call: step === 'admit' ? 'admit-move' : `reschedule-n/${step}`,
    asks: `reschedule-1/${step}`,
  })),
  // It leaves the mark of an undo, so that what arrives late of the hold is refused.
  ...rows('cancel', ENDING_STEPS.cancel, OF_A_CANCEL, (step) =>
    step === 'release-slot' ? { call: 'release-slot/undo' } : {},
  ),
  ...rows('complete', ENDING_STEPS.complete, OF_A_COMPLETION),
];

/** The answer to the other side's cancel. */
export const CANCEL_ANSWERED: Record<Way, Answer> = {
  move: DONE,
  cancel: [409, 'invalid_state'],
  complete: [409, 'invalid_state'],
};

/** What everybody knows of a booking in the end. */
export interface ConfirmedFacts extends BookingFacts {
  /** Where the booking is. */
  at: 'old' | 'new' | 'elsewhere';
  /** All that it keeps of its tutor's time, what is reserved too. */
  slots: string[];
  /** The mails since it was confirmed. */
  told: string[];
}

const live = (at: 'old' | 'new', told: string[]): ConfirmedFacts => ({
  ...{ booking: 'confirmed', refusal: null, slot: 'booked', ...MONEY.captured },
  ...{ at, slots: [`booked ${at}`], told },
});
const MOVED = ['booking_rescheduled_student', 'booking_rescheduled_tutor'];
const CANCELLED = ['booking_cancelled_student', 'booking_cancelled_tutor'];
const givenBack = (at: 'old' | 'new', told: string[]): ConfirmedFacts => ({
  ...{ booking: 'refunded/cancelled_by_student', refusal: null, slot: null, ...MONEY.refunded },
  ...{ at, slots: [], told },
});
const HALF = 'partially_refunded 4500-2250';

export const TRUTHS: Record<Ending, ConfirmedFacts> = {
  moved: live('new', MOVED),
  stays: live('old', []),
  movedThenCancelled: givenBack('new', [...CANCELLED, ...MOVED]),
  cancelled: givenBack('old', CANCELLED),
  cancelledByTerms: {
    ...{ booking: 'cancelled/cancelled_by_student', refusal: null, slot: null },
    ...{ payment: HALF, shownPayment: HALF, stripe: { ...MONEY.captured.stripe, refunded: 2_250 } },
    earningsDue: true,
    ledger: { platform_revenue: -338, stripe_balance: 2_162, stripe_fees: 88, tutor_pending: -1_912 },
    ...{ at: 'old', slots: [], told: CANCELLED },
  },
  completed: {
    ...live('old', ['booking_completed_student']),
    booking: 'completed/completed_by_tutor',
    earningsDue: true,
  },
};
