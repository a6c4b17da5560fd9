import { setTimeout as sleep } from 'node:timers/promises';
import { CLIENT_GONE_SECONDS } from '../../platform/saga-request';
import { SWEEP_EVERY_MS } from '../../workflows/sweep.api';
import type { RunningPlatform } from '../stack/platform';
import { busNotSettled } from './bus';
import type { ChaosEvidence } from './evidence';
import { mailsMissing } from './mails';
import { SCHEDULED, WAITING } from './reconciliation';
import { sandboxState } from './stripe-state';

const LOOK_EVERY_MS = 1_000;
/**
 * Longer than the longest pause after some failed attempts in a row: a notice is tried again after 64 s, 128 s, then
 * 256 s.
 */
const SETTLES_WITHIN_MS = 340_000;

/** Waits until all processes are up. @throws Error when they are not */
export async function untilReady(platform: RunningPlatform): Promise<void> {
  const deadline = performance.now() + SETTLES_WITHIN_MS;
  for (;;) {
    const down = platform.children().filter(({ state }) => state !== 'ready');
    if (down.length === 0) return;
    if (performance.now() > deadline) throw new Error(`Not up again: ${down.map(({ name }) => name).join(', ')}`);
    await sleep(200);
  }
}

/**
 * What somebody asked for and gave up before its saga began is refused by the first sweep after the client has been gone for so long;
 * that sweep may be the one that is under way.
 */
const SWEPT_WITHIN_MS = CLIENT_GONE_SECONDS * 1_000 + 2 * SWEEP_EVERY_MS;
const WAITS_FOR_SWEEP = /^(?:booking request|payment) /;
const patienceFor = (sentence: string) => (WAITS_FOR_SWEEP.test(sentence) ? SWEPT_WITHIN_MS : SETTLES_WITHIN_MS);
/** However often something new goes on: what is swept last may be at work for a while. */
const OVER_AFTER_MS = SWEPT_WITHIN_MS + SETTLES_WITHIN_MS;

/**
 * Waits until nothing goes on by itself any more, for each thing as long as it may last: a saga that waits is at work now and then.
 * @returns what has gone on for longer, in sentences
 */
export async function untilSettled(evidence: ChaosEvidence, tell: (left: string[]) => void): Promise<string[]> {
  const began = performance.now();
  const since = new Map<string, number>();
  for (let quiet = 0; ; ) {
    const left = await unsettled(evidence);
    const now = performance.now();
    for (const gone of [...since.keys()].filter((sentence) => !left.includes(sentence))) since.delete(gone);
    for (const sentence of left) since.set(sentence, since.get(sentence) ?? now);
    tell(left);
    quiet = left.length === 0 ? quiet + 1 : 0;
    // Temporal's visibility lags a moment behind, so two looks in a row have to find nothing.
    if (quiet === 2) return [];
    const isOver = now - began > OVER_AFTER_MS;
    const late = left.filter((sentence) => isOver || now - (since.get(sentence) ?? now) > patienceFor(sentence));
    if (late.length > 0) return late.map((sentence) => `not settled: ${sentence}`);
    await sleep(LOOK_EVERY_MS);
  }
}

async function unsettled(evidence: ChaosEvidence): Promise<string[]> {
  const { pending_webhooks, disputes: atStripe } = await sandboxState(evidence);
  const [requests, users, payments, refunds, payouts, disputes, due, unheard] = await Promise.all([
    evidence.database('booking')<{ id: string }[]>`select id from booking_requests where settled_at is null`,
    evidence.database('identity')<{ id: string }[]>`select id from users where status = 'pending'`,
    evidence.database('payment')<{ id: string }[]>`select id from payments where status = 'pending'`,
    evidence.database('payment')<{ id: string }[]>`select id from refunds where status = 'pending'`,
    // One that waits for its payee rests, as does one at the bank, which is only watched.
    evidence.database('payment')<{ id: string; status: string }[]>`
      select id, status from payouts where status = 'processing' or (status = 'failed' and returned_at is null)
      or (status = 'pending' and coalesce(status_reason, '') not in ('awaiting_onboarding', 'awaiting_bank_account'))`,
    evidence.database('payment')<{ stripeId: string; status: string; over: boolean }[]>`
      select stripe_dispute_id as "stripeId", status, decided_at is not null and closed_version = version as over from disputes`,
    // What a dispute held back becomes payable with the next sweep.
    evidence.database('payment')<{ id: string }[]>`
      select id from payments p where released_at is null and earnings_due_at <= now() and available_on <= now()
      and not exists (select from earning_holds h where h.payment_id = p.id and h.closed_at is null)`,
    evidence.database('identity')<{ id: string }[]>`
      select id from suspensions where ended_at is not null and heard_end_at is null`,
  ]);
  const isOver = ({ id, status }: { id: string; status: string }) =>
    disputes.some((row) => row.stripeId === id && row.status === status && row.over);
  const rows = (what: string, found: { id: string }[]) => found.map(({ id }) => `${what} ${id} is still pending`);
  return [
    ...(pending_webhooks > 0 ? [`${pending_webhooks} webhooks are still to be delivered`] : []),
    ...rows('booking request', requests),
    ...rows('user', users),
    ...rows('payment', payments),
    ...rows('refund', refunds),
    ...unheard.map(({ id }) => `suspension ${id} is over, and its saga has not heard so`),
    ...due.map(({ id }) => `payment ${id} is due to its payee and not payable yet`),
    ...payouts.map(({ id, status }) => `payout ${id} is still ${status}`),
    ...atStripe.filter((one) => !isOver(one)).map(({ id }) => `dispute ${id} is still to be seen to`),
    ...(await busySagas(evidence)),
    ...(await mailsMissing(evidence)),
    ...(await busNotSettled(evidence)),
  ];
}

/** The ids of all sagas that run, in order. */
export async function sagasThatRun({ temporal }: ChaosEvidence): Promise<string[]> {
  const ids: string[] = [];
  for await (const { workflowId } of temporal.workflow.list({ query: RUNNING_SAGAS })) ids.push(workflowId);
  return ids.toSorted();
}

const RUNNING_SAGAS = `ExecutionStatus="Running" AND WorkflowType NOT IN (${SCHEDULED.map((type) => `'${type}'`).join(', ')})`;

async function busySagas({ temporal }: ChaosEvidence): Promise<string[]> {
  const busy: string[] = [];
  const waiting: string[] = [];
  for await (const { workflowId, searchAttributes } of temporal.workflow.list({ query: RUNNING_SAGAS })) {
    const state = String(searchAttributes.SagaState?.[0]);
    if (WAITING.includes(state)) waiting.push(workflowId);
    else busy.push(`${workflowId} is ${state}`);
  }
  if (busy.length > 0) return busy;
  for (const workflowId of waiting) {
    const { raw } = await temporal.workflow.getHandle(workflowId).describe();
    if ((raw.pendingActivities ?? []).length > 0 || raw.pendingWorkflowTask) busy.push(`${workflowId} is at work`);
  }
  return busy;
}
