import { proxyActivities } from '@temporalio/workflow';
import type { SweepActivities } from '../activities/sweep';
import { codeOf } from './failures';
import type { SweepResult } from './sweep.api';

// Recorded, so that the history says what each context did. Bounded well below the time to the next sweep, which does what is left.
const act = proxyActivities<SweepActivities>({
  startToCloseTimeout: '30s',
  scheduleToCloseTimeout: '60s',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumAttempts: 3 },
});

/**
 * One run of the Schedule `sweep`: see `docs/sagas/sweep.md`. Each context sees to its own rows, and one that is away holds up none of
 * the others. It has no undo and no state: whatever happens to it, the next one does the same.
 */
export async function sweep(): Promise<SweepResult> {
  const [bookings, payments, earnings, payouts, receipts, signUps, accountMails, prices, ...later] = await Promise.all([
    orCode(act.sweepBookings()),
    orCode(act.sweepPayments()),
    orCode(act.sweepEarnings()),
    orCode(act.sweepPayouts()),
    orCode(act.sweepReceipts()),
    orCode(act.sweepSignUps()),
    orCode(act.sweepAccountMails()),
    orCode(act.sweepPrices()),
    orCode(act.sweepEmailChanges()),
    orCode(act.sweepTutorAccounts()),
    orCode(act.sweepSuspensions()),
  ]);
  const [emailChanges, tutorAccounts, suspensions] = later;
  return {
    ...{ bookings, payments, earnings, payouts, receipts, signUps, accountMails, prices },
    ...{ emailChanges, tutorAccounts, suspensions },
  };
}

async function orCode<Swept>(swept: Promise<Swept>): Promise<Swept | string> {
  return swept.catch(codeOf);
}
