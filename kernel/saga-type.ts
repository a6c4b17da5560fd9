/** Custom search attributes of all sagas, each a keyword (Temporal on SQLite allows ten). Never personal data. */
export const SEARCH_ATTRIBUTES = ['SagaKind', 'SagaState', 'BookingId', 'StudentId', 'TutorId', 'PaymentId'] as const;

export type SearchAttribute = (typeof SEARCH_ATTRIBUTES)[number];

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

/** What a service must know to start a saga; every `workflows/<saga>.api.ts` exports one. */
export interface SagaType<Input> {
  /** The exported name of the workflow function. */
  workflowType: string;
  taskQueue: string;
  /** `<kind>:<business id>`. */
  workflowId(input: Input): string;
  searchAttributes(input: Input): Partial<Record<SearchAttribute, string>>;
  /** One line for lists in the Web UI: ids and times only. */
  summary(input: Input): string;
}
