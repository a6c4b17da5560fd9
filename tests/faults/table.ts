import type { Money } from './money';
import type { Step, TutorKind } from './steps';

/** What meets a step; in the order in which the tests run. */
export const FAULTS = {
  refused: 'is refused',
  answerLost: 'takes effect and its answer is lost',
  answerLostForGood: 'takes effect, its answer is lost and all later attempts fail, until it is given up',
  failing: 'fails at every attempt without an effect, until it is given up',
  cancelled: 'is met by a cancel',
  killed: 'takes effect and its worker is killed',
  killedAndCancelled: 'takes effect, its worker is killed, and a cancel comes before the next one is there',
  hangs: 'hangs at its first attempt, and reaches the service when it has long been done',
  undoRefused: 'is met by a cancel, and its undo is refused until an operator has it tried again',
} as const;
export type Fault = keyof typeof FAULTS;

export interface Undone {
  /** `status/reason` of the booking; null when no booking was made. */
  booking: string | null;
  money: Money;
  /** The answer to whoever waits: the student who books or, from the tutor's decision on, the tutor who confirms. */
  reply: [status: number, code: string];
  /** The last step that is undone, or any of these where it depends on the moment; default: the one that met the fault. */
  from?: readonly Step[];
}
type Cell = 'confirmed' | Undone | { impossible: string };
interface RowOf<Met extends Fault> {
  step: Step;
  tutor: TutorKind;
  cells: Record<Met, Cell> | { impossible: string };
}
export type Row = RowOf<Fault>;

/** Of a booking that came to nothing: refunded, if anything had been taken. */
const nothing = (reason: string, money: Money) => `${money === 'refunded' ? 'refunded' : 'cancelled'}/${reason}`;

const byStudent = (money: Money, ...from: Step[]): Undone => ({
  booking: nothing('cancelled_by_student', money),
  money,
  reply: [409, 'invalid_state'],
  ...(from.length > 0 && { from }),
});
const ended = (reason: string, money: Money, reply: Undone['reply']): Undone => ({
  booking: nothing(reason, money),
  money,
  reply,
});

/**
 * Every step against the faults whose outcome goes by the step. Two things are not timed here but with skipped time (`workflows/booking.test.ts`): after how many
 * failing attempts a step is given up by itself (1½ min, money 10 min), and undos that fail. Here a cancel gives it up.
 *
 * A local step and its record are one workflow task, so that a cancel that comes during one is heard at the next recorded step.
 */
const ROWS: RowOf<Exclude<Fault, 'hangs' | 'undoRefused'>>[] = [
  {
    step: 'create',
    tutor: 'instant',
    cells: {
      refused: { booking: null, money: 'none', reply: [409, 'conflict'] },
      answerLost: 'confirmed',
      answerLostForGood: byStudent('none'),
      // There is nothing yet that a person could cancel: an operator cancels the saga in Temporal.
      failing: { booking: null, money: 'none', reply: [409, 'invalid_state'] },
      cancelled: byStudent('refunded', 'take-payment'),
      killed: 'confirmed',
      killedAndCancelled: byStudent('none', 'create'),
    },
  },
  {
    step: 'hold-slot', // booked at once
    tutor: 'instant',
    cells: {
      refused: ended('slot_unavailable', 'none', [409, 'slot_unavailable']),
      answerLost: 'confirmed',
      answerLostForGood: byStudent('none'),
      failing: byStudent('none'),
      cancelled: byStudent('refunded', 'take-payment'),
      killed: 'confirmed',
      killedAndCancelled: byStudent('none', 'create'),
    },
  },
  {
    step: 'hold-slot',
    tutor: 'confirming',
    cells: {
      refused: ended('slot_unavailable', 'none', [409, 'slot_unavailable']),
      answerLost: 'confirmed',
      answerLostForGood: byStudent('none'),
      failing: byStudent('none'),
      cancelled: byStudent('voided', 'authorize'),
      killed: 'confirmed',
      killedAndCancelled: byStudent('none', 'create'),
    },
  },
  {
    step: 'authorize',
    tutor: 'confirming',
    cells: {
      refused: ended('payment_declined', 'declined', [402, 'payment_declined']),
      answerLost: 'confirmed',
      answerLostForGood: byStudent('voided'),
      failing: byStudent('none'),
      cancelled: byStudent('voided'),
      killed: 'confirmed',
      killedAndCancelled: byStudent('voided'),
    },
  },
  {
    step: 'block-slot',
    tutor: 'confirming',
    cells: {
      refused: ended('slot_unavailable', 'voided', [409, 'invalid_state']),
      answerLost: 'confirmed',
      answerLostForGood: byStudent('voided'),
      failing: byStudent('voided'),
      // The cancel is heard once the slot is blocked, and before money is taken.
      cancelled: byStudent('voided', 'take-payment'),
      killed: 'confirmed',
      killedAndCancelled: byStudent('voided', 'block-slot', 'take-payment'),
    },
  },
  {
    step: 'take-payment', // a charge
    tutor: 'instant',
    cells: {
      refused: ended('payment_declined', 'declined', [402, 'payment_declined']),
      answerLost: 'confirmed',
      answerLostForGood: byStudent('refunded'),
      failing: byStudent('none'),
      cancelled: byStudent('refunded'),
      killed: 'confirmed',
      killedAndCancelled: byStudent('refunded'),
    },
  },
  {
    step: 'take-payment', // a capture
    tutor: 'confirming',
    cells: {
      refused: ended('payment_declined', 'voided', [409, 'payment_failed']),
      answerLost: 'confirmed',
      answerLostForGood: byStudent('refunded'),
      failing: byStudent('voided'),
      cancelled: byStudent('refunded'),
      killed: 'confirmed',
      killedAndCancelled: byStudent('refunded'),
    },
  },
  { step: 'create', tutor: 'confirming', cells: { impossible: 'the same calls as for an instant tutor' } },
  { step: 'block-slot', tutor: 'instant', cells: { impossible: 'an instant tutor’s slot is booked when it is taken' } },
  { step: 'authorize', tutor: 'instant', cells: { impossible: 'an instant tutor’s money is taken at once' } },
];

/** Every step against every fault: what hangs is tried again, and an undo that was refused ends as one that was not. */
export const TABLE: Row[] = ROWS.map(({ cells, ...row }) => ({
  ...row,
  cells: 'impossible' in cells ? cells : { ...cells, hangs: 'confirmed', undoRefused: cells.cancelled },
}));
