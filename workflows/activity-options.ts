import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';

/**
 * How each kind of step is run, and why. Each call of a service ends by itself: after 10 s, or after 25 s where Stripe is asked
 * (`services/payment/client.ts`).
 *
 * A local activity costs no round trip to Temporal: 1 workflow task instead of 7 for six steps. But one that ran and was not yet
 * recorded is forgotten when a crash, a cancel or a reset comes first. So a step is local when its undo runs anyway (create, taking the
 * slot), or when it is harmless twice (block; notices, of which each key sends one).
 *
 * Money is always recorded. So is the first step after the pivot and after an update: an update enters the history with the task that
 * handles it. Had that task cancelled a booking by a local step and been lost, the row would be cancelled and the saga would not know.
 */

// Cancel means: wait until the attempt has ended one way or the other. The default, TRY_CANCEL, would let a refund race its charge.
const ENDED = 'WAIT_CANCELLATION_COMPLETED';

// Every pause between attempts of a local activity is a timer of the server: the workflow task ends meanwhile, so that updates and
// cancels are heard, and time-skipping tests skip it. They are bounded by attempts, because the SDK measures a local activity's
// scheduleToCloseTimeout by the worker's clock, not the server's.
const RETRY_BY_TIMER_FROM = '1ms';

/**
 * A call of one service, over after about a minute and a half: before the pivot it is then given up and undone, well before the
 * hold of the slot expires; what must happen is begun again by `saga.ts`, which calls an operator after an hour.
 */
export const SERVICE_CALL: LocalActivityOptions = {
  localRetryThreshold: RETRY_BY_TIMER_FROM,
  startToCloseTimeout: '20s',
  cancellationType: ENDED,
  retry: { initialInterval: '200ms', backoffCoefficient: 3, maximumInterval: '30s', maximumAttempts: 8 },
};

// `activities/index.ts` sends a heartbeat every two seconds while an activity runs: a worker that dies in the middle of one is noticed
// by then, instead of when the attempt's whole time is over.
const NOTICED_DEAD_AFTER = '8s';

/** The same, recorded: what a saga may not forget to have done. */
export const REMEMBERED_CALL: ActivityOptions = {
  startToCloseTimeout: '20s',
  heartbeatTimeout: NOTICED_DEAD_AFTER,
  scheduleToCloseTimeout: '90s',
  cancellationType: ENDED,
  retry: { initialInterval: '200ms', backoffCoefficient: 3, maximumInterval: '30s' },
};

/** Money before the pivot: 45 s an attempt (Stripe's 30 s and the bookkeeping around it), given up after 10 minutes and undone. */
export const FORWARD_MONEY: ActivityOptions = {
  startToCloseTimeout: '45s',
  heartbeatTimeout: NOTICED_DEAD_AFTER,
  scheduleToCloseTimeout: '10m',
  cancellationType: ENDED,
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
};

/** Money that must move (undos, steps after the pivot): an hour of retries, then `saga.ts` calls an operator and begins again. */
export const UNTIL_DONE_MONEY: ActivityOptions = {
  startToCloseTimeout: '45s',
  heartbeatTimeout: NOTICED_DEAD_AFTER,
  scheduleToCloseTimeout: '1h',
  cancellationType: ENDED,
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '1m' },
};

/** Mails: a mail server may be away for a day; a mail that never goes never undoes anything. */
export const NOTICE: LocalActivityOptions = {
  localRetryThreshold: RETRY_BY_TIMER_FROM,
  startToCloseTimeout: '30s',
  cancellationType: ENDED,
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '10m', maximumAttempts: 150 },
};
