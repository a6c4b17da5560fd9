import type { ActivityOptions, LocalActivityOptions } from '@temporalio/workflow';

/**
 * How each kind of step is run, and why.
 *
 * A local activity costs no round trip to Temporal: 1 workflow task instead of 7 for six steps. But one that ran and was not yet
 * recorded is forgotten when a crash, a cancel or a reset comes first. So a step is local when its undo runs anyway (create, taking the
 * slot), or when it is harmless twice (block; notices, of which each key stores one). And while one runs, its workflow task stays open,
 * which neither updates nor cancels can enter: so an attempt is short, none waits for a vendor, and what fails for half a minute goes
 * on as a recorded activity, whose retries are the server's and write no events.
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
 * A call of our own services. Its attempts give up by themselves after two seconds (`workers/activity-context.ts`); the
 * limit here is for one that does not. Over after half a minute, when the service is away.
 */
export const LOCAL_CALL: LocalActivityOptions = {
  localRetryThreshold: RETRY_BY_TIMER_FROM,
  startToCloseTimeout: '3s',
  cancellationType: ENDED,
  retry: { initialInterval: '200ms', backoffCoefficient: 3, maximumInterval: '10s', maximumAttempts: 7 },
};

/**
 * A notice, beside whatever its saga does: local once, and recorded when that fails. Commands come while it is tried again, and a local
 * attempt whose task is renewed meanwhile may change places with them in a replay.
 */
export const LOCAL_ONCE: LocalActivityOptions = { ...LOCAL_CALL, retry: { ...LOCAL_CALL.retry, maximumAttempts: 1 } };

// `activities/index.ts` sends a heartbeat every two seconds while an activity runs: a worker that dies in the middle of one is noticed
// by then, instead of when the attempt's whole time is over.
const NOTICED_DEAD_AFTER = '8s';

/**
 * The same as a recorded step, for a minute: before the pivot it is then given up and undone, well before the hold of the slot expires.
 */
export const RECORDED_CALL: ActivityOptions = {
  startToCloseTimeout: '20s',
  heartbeatTimeout: NOTICED_DEAD_AFTER,
  scheduleToCloseTimeout: '1m',
  cancellationType: ENDED,
  retry: { initialInterval: '200ms', backoffCoefficient: 3, maximumInterval: '30s' },
};

/** A move is made while its client waits, or not at all: whoever cancels meanwhile waits behind it. */
export const MOVE: ActivityOptions = { ...RECORDED_CALL, startToCloseTimeout: '4s', scheduleToCloseTimeout: '8s' };

/** Money before the pivot: 45 s an attempt (Stripe's 30 s and the bookkeeping around it), given up after 10 minutes and undone. */
export const FORWARD_MONEY: ActivityOptions = {
  startToCloseTimeout: '45s',
  heartbeatTimeout: NOTICED_DEAD_AFTER,
  scheduleToCloseTimeout: '10m',
  cancellationType: ENDED,
  retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '30s' },
};

/** What must happen, at first: most troubles are over within a minute, and nothing has to wait beside it. */
export const UNTIL_DONE_SOON: ActivityOptions = { ...FORWARD_MONEY, scheduleToCloseTimeout: '1m' };

/** What must happen and has not within a minute: a round lasts a day, in which the server retries without an event more. */
export const UNTIL_DONE_DAYLONG: ActivityOptions = {
  ...FORWARD_MONEY,
  scheduleToCloseTimeout: '1d',
  retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '10m' },
};
