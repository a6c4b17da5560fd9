import { sleep } from '@temporalio/workflow';

/** A workflow that only waits, to see time skipped. */
export async function twoDays(): Promise<void> {
  await sleep('48 hours');
}
