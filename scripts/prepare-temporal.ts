import { loadConfig } from '../platform/config';
import { prepareNamespace } from '../platform/temporal-namespace';
import { dailyContactsSchedule } from '../workflows/daily-contacts.api';
import { dailyDebtsSchedule } from '../workflows/daily-debts.api';
import { dailyDisputesSchedule } from '../workflows/daily-disputes.api';
import { dailyFoldsSchedule } from '../workflows/daily-folds.api';
import { sweepSchedule } from '../workflows/sweep.api';
import { weeklyPayoutsSchedule } from '../workflows/weekly-payouts.api';

/**
 * `node dist/scripts/prepare-temporal.js`: a one-shot job that makes Temporal's namespace fit for the sagas, Schedules included, before their
 * workers start; repeating it does no harm. It reads TEMPORAL_ADDRESS and TEMPORAL_NAMESPACE. It is part of the product's
 * image, so it needs nothing of dev.
 */
async function main(): Promise<void> {
  // A job that signs nothing is given no secret; what it is loaded with here is used for nothing.
  const config = loadConfig({ SERVICE_TOKEN_SECRET: 'x'.repeat(32), ...process.env });
  await prepareNamespace(config, (line) => console.log(line), [
    sweepSchedule,
    weeklyPayoutsSchedule,
    dailyContactsSchedule,
    dailyDebtsSchedule,
    dailyDisputesSchedule,
    dailyFoldsSchedule,
  ]);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
