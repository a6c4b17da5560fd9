import { defineUpdate } from '@temporalio/workflow';
import type { OperatorAction } from '../kernel/saga-type';

/** An operator's answer to NeedsAttention. */
export interface Resolution {
  /** Which of the stuck steps, by the name that the saga's details show. Without it, exactly one must be stuck. */
  step?: string;
  /**
   * `retry` tries it again at once. `accept` gives it up for good, because it was settled by other means; where it is about money that
   * is `paid_elsewhere` or `waived`, and what was reserved for it is free again.
   */
  action: OperatorAction;
  /** The stored explanation. Its text would stay in the history for everybody to read. */
  noteId?: string | null;
}

/** Every saga answers it, see `saga.ts`. */
export const resolve = defineUpdate<void, [Resolution]>('resolve');
