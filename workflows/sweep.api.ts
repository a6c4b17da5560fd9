import type { TaskQueue } from '../kernel/modules';
import type { ScheduledWorkflow } from '../kernel/saga-type';
import { MINUTE } from '../kernel/time';

/** What a sweep came to in one context, or the code with which it could not be done this time. */
export type SweepOfContext = { found: number; started: number; refused: number } | string;

/** Shown as the workflow's result, by what was looked through. */
export interface SweepResult {
  bookings: SweepOfContext;
  payments: SweepOfContext;
  /** Shares that have become payable, and those that Stripe could not be asked about. */
  earnings: { released: number; left: number } | string;
  /** Payouts that no saga watches: of how many Stripe was asked, and how many had come back. */
  payouts: { asked: number; returned: number } | string;
  /** Receipts and credit notes that were issued, and payments whose receipt waits for the next run. */
  receipts: { issued: number; creditNotes: number; left: number } | string;
  signUps: SweepOfContext;
  accountMails: SweepOfContext;
  prices: SweepOfContext;
  emailChanges: SweepOfContext;
  tutorAccounts: SweepOfContext;
  suspensions: SweepOfContext;
}

/** A refund waits no longer than this after its client was answered 503. */
export const SWEEP_EVERY_MS = 2 * MINUTE;

export const sweepSchedule: ScheduledWorkflow = {
  scheduleId: 'sweep',
  workflowType: 'sweep',
  taskQueue: 'core' satisfies TaskQueue,
  // A refund waits no longer than this after its client was answered 503. What is refused has been waited for for ten minutes, so more
  // often helps nobody, and each run is kept for as long as all histories are.
  when: { everyMs: SWEEP_EVERY_MS },
  // One run sees to everything, so those that a server missed while it was away are not made up for.
  catchUpMs: SWEEP_EVERY_MS,
  // An attempt of its steps and their repetition; a run that cannot go on, because of a bug, makes way for the next.
  atMostMs: 90_000,
  summary: 'Sees to what was stored and never begun',
};
