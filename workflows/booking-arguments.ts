import { PARTIES, type Party } from '../kernel/session';
import { refuse } from './failures';

// An update can come from the Web UI, with anything in it: what a booking is asked is read here, and refused where it does not parse.

/** What a person asks of the booking. Times are ISO 8601; `noteId` is the stored text. */
export type Command =
  | { kind: 'confirm' }
  | { kind: 'decline'; noteId: string | null }
  | { kind: 'cancel'; by: Party; noteId: string | null; requestedAt: string }
  | { kind: 'reschedule'; by: 'student' | 'tutor'; scheduledAt: string; requestedAt: string }
  | { kind: 'complete'; requestedAt: string };

/** Reads an update's argument. @throws ApplicationFailure validation_failed naming the member that is wrong */
export const COMMAND_OF: { readonly [Kind in Command['kind']]: (argument: unknown) => Command & { kind: Kind } } = {
  confirm: () => ({ kind: 'confirm' }),
  decline: (argument) => ({ kind: 'decline', noteId: noteId(argument) }),
  cancel: (argument) => ({
    kind: 'cancel',
    by: oneOf(PARTIES, 'by', argument),
    noteId: noteId(argument),
    requestedAt: instant('requestedAt', argument),
  }),
  reschedule: (argument) => ({
    kind: 'reschedule',
    by: oneOf(['student', 'tutor'], 'by', argument),
    scheduledAt: instant('scheduledAt', argument),
    requestedAt: instant('requestedAt', argument),
  }),
  complete: (argument) => ({ kind: 'complete', requestedAt: instant('requestedAt', argument) }),
};

function member(name: string, argument: unknown): unknown {
  return typeof argument === 'object' && argument !== null ? new Map(Object.entries(argument)).get(name) : undefined;
}

function noteId(argument: unknown): string | null {
  const value = member('noteId', argument) ?? null;
  if (value === null || typeof value === 'string') return value;
  throw refuse('validation_failed', 'noteId is the id of a stored note, or null');
}

function oneOf<Value extends string>(known: readonly Value[], name: string, argument: unknown): Value {
  const value = member(name, argument);
  const found = known.find((one) => one === value);
  if (found === undefined) throw refuse('validation_failed', `${name} is one of ${known.join(', ')}`);
  return found;
}

/** ISO 8601 with an offset: one without would be read by the worker's own clock. */
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)$/;

function instant(name: string, argument: unknown): string {
  const value = member(name, argument);
  if (typeof value === 'string' && INSTANT.test(value) && !Number.isNaN(Date.parse(value))) return value;
  throw refuse('validation_failed', `${name} is an instant, such as 2026-03-01T10:00:00Z`);
}
