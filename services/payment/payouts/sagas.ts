import type { Sagas } from '../../../platform/temporal';
import { payoutChanged, payoutSaga } from '../../../workflows/payout.api';
import { ownerOfConnected, recordEnabled } from '../accounts/store';
import type { StripeEvent } from '../stripe/answers';
import type { Till } from '../till';
import { check, refreshPayout } from './payout';
import { findByStripeId, type PayoutRow, payoutsAwaiting, payoutsAwaitingFunds } from './store/payouts';

/** So many that wait for funds are told when there are some; the others look by themselves. */
const MOST_TOLD = 100;

/** What may change a payout. */
const OF_PAYOUTS = /^payout\.(?:canceled|failed|paid|updated)$/;
/** What may end a payout's wait for its payee. */
const OF_ACCOUNTS = /^(?:account\.updated|account\.external_account\.\w+|capability\.updated)$/;

/** Whether an event may concern a payout: one of a connected account, or that our own funds have become available. */
export function isOfPayout(event: StripeEvent): boolean {
  if (event.account === null) return event.type === 'balance.available';
  return OF_PAYOUTS.test(event.type) || OF_ACCOUNTS.test(event.type);
}

/**
 * Acts on such an event: asks Stripe what is true, and tells the payouts' sagas. What the event says does not count. Nothing is done for an
 * account that is none of ours. `again`: the event came before, and how far that got is unknown. @throws ProblemError rate_limited, upstream_unavailable: Stripe shall send the event again
 */
export async function actOnPayouts(
  till: Till,
  sagas: Sagas,
  event: StripeEvent,
  { again }: { again: boolean },
): Promise<void> {
  const { db, stripe } = till;
  if (event.account === null) {
    for (const payout of await payoutsAwaitingFunds(db, MOST_TOLD)) await look(till, sagas, payout);
    return;
  }
  const owner = await ownerOfConnected(db, event.account);
  if (owner === undefined) return;
  if (OF_PAYOUTS.test(event.type)) {
    const known = event.objectId === null ? undefined : await findByStripeId(db, event.objectId);
    // Another's, or one of which the answer to our own request has yet to be recorded: its saga asks by itself.
    if (!known || known.payeeId !== owner) return;
    const payout = await refreshPayout(till, known.id);
    // A bank may send money back when nobody waits for it any more.
    if (again || payout.version !== known.version) await wakePayout(sagas, payout);
    return;
  }
  const account = await stripe.readAccount(event.account);
  await recordEnabled(db, owner, account?.isPaid ?? false);
  for (const payout of await payoutsAwaiting(db, owner)) await look(till, sagas, payout);
}

/** Tells a payout's saga that it has changed, and starts it again when it has ended. @throws ProblemError upstream_unavailable */
export async function wakePayout(sagas: Sagas, payout: PayoutRow): Promise<void> {
  await sagas.wake(payoutSaga, inputOf(payout), payoutChanged, changeOf(payout));
}

/** Looks whether a payout that waits has what it waited for, and tells its saga then. */
async function look(till: Till, sagas: Sagas, { id }: PayoutRow): Promise<void> {
  const payout = await check(till, id);
  if (payout.statusReason === null)
    await sagas.signal(payoutSaga.workflowId(inputOf(payout)), payoutChanged, changeOf(payout));
}

const inputOf = ({ id: payoutId, payeeId }: PayoutRow) => ({ payoutId, payeeId });
const changeOf = ({ id: payoutId, version }: PayoutRow) => ({ payoutId, version });
