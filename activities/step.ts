import type { UndoKey } from '../kernel/step-key';

/** The argument of an activity that is a step of a saga: what it is about, and the step's idempotency key, `<workflowId>/<step>`. */
export type Step<About> = About & { key: string };
/** The argument of an activity that takes a step back. */
export type Undo<About> = About & { key: UndoKey };
