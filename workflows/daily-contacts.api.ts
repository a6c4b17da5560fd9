import type { TaskQueue } from '../kernel/modules';
import type { ScheduledWorkflow } from '../kernel/saga-type';
import { DAY } from '../kernel/time';

/** What one run came to: shown as the workflow's result. */
export interface DailyContactsResult {
  /** So many active people there are. */
  people: number;
  /** So many of whom notification did not know where they are reached, or knew something older. */
  changed: number;
}

/** A run goes on as a new one after many pages: how far it has come. */
export interface DailyContactsSoFar extends DailyContactsResult {
  after: string | null;
}

/** In UTC, before the other work of the night. */
const HOUR_OF_CONTACTS = 2;

export const dailyContactsSchedule: ScheduledWorkflow = {
  scheduleId: 'daily-contacts',
  workflowType: 'dailyContacts',
  taskQueue: 'core' satisfies TaskQueue,
  when: { hour: HOUR_OF_CONTACTS },
  // With the update that brings the Schedule nobody's contact is known, and notices wait for it.
  atOnce: true,
  // Each run goes through everybody, so that one at most is made up for.
  catchUpMs: DAY,
  summary: 'Tells notification where people are reached',
};
