import { endpoint } from './endpoint';
import { CheckFolds, FoldsChecked } from './schemas';

/** What a context promises whose rows are what their events say. `context`: its name, as operations have it. */
export const foldOperations = (context: 'Booking' | 'Payment') => ({
  checkFolds: endpoint({
    method: 'post',
    path: '/internal/folds/check',
    operationId: `check${context}Folds`,
    summary: 'Hold random rows to what their events say',
    description: 'Changes nothing. What is found is counted in `folds_different_total` as well.',
    access: 'service',
    body: CheckFolds,
    replies: { 200: FoldsChecked },
  }),
});
