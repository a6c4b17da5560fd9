import { contradictions } from '../../dev/chaos/reconciliation';
import { sandboxState } from '../../dev/chaos/stripe-state';
import { eventually, type TestPlatform } from './platform';

/** What does not agree once Stripe has said all it has to say, in sentences; empty when all does. */
export async function contradictionsAtRest(platform: TestPlatform): Promise<string[]> {
  await eventually(
    'Stripe has delivered its webhooks',
    async () => (await sandboxState(platform)).pending_webhooks === 0,
  );
  return contradictions(platform);
}
