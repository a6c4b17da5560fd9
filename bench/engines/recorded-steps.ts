// Imported by its own path, because the bundle of `naive` resolves the name of the package to this file.
import * as workflow from '@temporalio/workflow/lib/index';

// `@temporalio/workflow` as it works for somebody who sets nothing. Every step is a recorded activity with the SDK's
// defaults, whatever options the saga gives the step.

export * from '@temporalio/workflow/lib/index';

export const proxyActivities = () => workflow.proxyActivities({ startToCloseTimeout: '1 minute' });
export const proxyLocalActivities = proxyActivities;

// Each workflow has modules of its own, and so a listener of its own.
let listener: (state: unknown) => void = () => undefined;

/** Calls `listen` with each state that the saga shows. */
export function onState(listen: (state: unknown) => void): void {
  listener = listen;
}

export const upsertSearchAttributes: typeof workflow.upsertSearchAttributes = (attributes) => {
  workflow.upsertSearchAttributes(attributes);
  if (!Array.isArray(attributes)) return;
  for (const { key, value } of attributes) if (key.name === 'SagaState') listener(value);
};
