import { BOOKING_STEPS } from '../../workflows/booking';

/** A step of the booking saga. */
export type Step = keyof typeof BOOKING_STEPS;
/** A tutor who is booked at once, or one who must confirm. */
export type TutorKind = 'instant' | 'confirming';

/** Every step with what is known of it, in order. */
export const STEPS = Object.entries(BOOKING_STEPS) as [Step, (typeof BOOKING_STEPS)[Step]][];
/** The steps that run while the student's request waits. The later steps of a confirming tutor run while the tutor's confirmation waits. */
export const BEFORE_THE_TUTOR = new Set<Step>(['create', 'hold-slot', 'authorize']);
/** The activities that undo a step. */
export const UNDOS = new Set<string>(STEPS.map(([, { undo }]) => undo));

/** The undos of a booking that came as far as `from`, last first. */
export function undosFrom(from: Step, tutor: TutorKind): string[] {
  // A booking that came no further than being made releases a slot all the same: a task that was lost may have held it.
  if (from === 'create') return [BOOKING_STEPS['hold-slot'].undo, BOOKING_STEPS.create.undo];
  const begun = STEPS.filter(([, { manual }]) => !manual || tutor === 'confirming');
  const last = begun.findIndex(([name]) => name === from);
  return begun
    .slice(0, last + 1)
    .map(([, { undo }]) => undo)
    .reverse();
}
