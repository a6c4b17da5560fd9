import type { DatabaseContext } from './modules';

/**
 * Custom search attributes of sagas, each a keyword. Temporal on SQLite allows ten keywords, so none is added: what a new kind of saga
 * concerns stands in `Refs`. Never personal data.
 */
export const SEARCH_ATTRIBUTES = ['SagaKind', 'SagaState', 'BookingId', 'StudentId', 'TutorId', 'PaymentId'] as const;

/** The search attribute, a list of keywords, of all that a saga concerns: `Refs = "booking:<id>"`. Of lists SQLite allows three. */
export const REFS = 'Refs';

/** What a saga can be found by: `<kind>:<id>`, the kind a context's, whose thing it is, or a person. */
export type Ref = `${DatabaseContext | 'user'}:${string}`;

/** What is known of a saga when it starts. */
export type StartAttributes = Partial<Record<(typeof SEARCH_ATTRIBUTES)[number], string>> & {
  [REFS]?: readonly Ref[];
};

/** What `SagaState` says: what an operator filters lists by. */
export const SAGA_STATES = [
  'Running',
  'AwaitingTutor',
  'AwaitingPayment',
  'Confirmed',
  'Completed',
  'Compensating',
  'Compensated',
  'NeedsAttention',
] as const;
export type SagaState = (typeof SAGA_STATES)[number];

/** How an operator settled money by hand: the one it was owed to has it by other means, or does without. */
export const SETTLEMENTS = ['paid_elsewhere', 'waived'] as const;
export type Settlement = (typeof SETTLEMENTS)[number];

/** What an operator can say of something that is stuck. Money is accepted by what became of it: somebody is owed it otherwise. */
export const OPERATOR_ACTIONS = ['retry', 'accept', ...SETTLEMENTS] as const;
export type OperatorAction = (typeof OPERATOR_ACTIONS)[number];

/**
 * The type of the failure with which a saga refuses an update while it continues as a new run: what was asked is as good there, a moment
 * later.
 */
export const CONTINUES_AS_NEW = 'continues_as_new';

/** What a service must know to start a saga; every `workflows/<saga>.api.ts` exports one. */
export interface SagaType<Input> {
  /** The exported name of the workflow function. */
  workflowType: string;
  taskQueue: string;
  /** `<kind>:<business id>`. */
  workflowId(input: Input): string;
  searchAttributes(input: Input): StartAttributes;
  /** One line for lists in the Web UI: ids and times only. */
  summary(input: Input): string;
}

/** A workflow that a Temporal Schedule starts again and again: what `prepareNamespace` makes the Schedule of. */
export interface ScheduledWorkflow {
  /** Also the beginning of its workflows' ids, to which Temporal adds the time. */
  scheduleId: string;
  /** The exported name of the workflow function, which takes no input. */
  workflowType: string;
  taskQueue: string;
  /** One line for lists in the Web UI. */
  summary: string;
  /** Again and again, once a week, or once a day where no day is named; in UTC. */
  when: { everyMs: number } | { dayOfWeek?: 'MONDAY'; hour: number };
  /** A Schedule that was just made begins a run at once, and not only when its time comes. */
  atOnce?: true;
  /** For so long a run is made up for that a server missed while it was away. */
  catchUpMs: number;
  /** A run that is not over by then is ended; left out: none is. */
  atMostMs?: number;
}
