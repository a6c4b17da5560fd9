import { ProblemError } from '../../../kernel/errors';
import type { CreateAccount } from '../contract';
import { perform } from '../stripe/attempt';
import { type StripeDoor, stripeIsAway } from '../stripe/door';
import type { AccountStore } from './store';

/**
 * Makes a user known to Stripe. Name and e-mail go there and are kept nowhere here.
 * @throws ProblemError undone after the removal; validation_failed when Stripe refuses the details;
 * rate_limited, upstream_unavailable to call again under the same key
 */
export async function openAccount(
  accounts: AccountStore,
  stripe: StripeDoor,
  key: string,
  who: CreateAccount,
): Promise<void> {
  const attempt = await accounts.begin(key, who.userId, who.role);
  if (!attempt) return;
  const outcome = await perform(attempt, {
    find: async () => (await stripe.findAccounts(who, attempt.startedAt))[0] ?? null,
    send: (stripeKey) => stripe.createAccount(stripeKey, who),
    giveUp: () => accounts.close(attempt, 'nothing'),
  });
  if (outcome.kind === 'done') return accounts.recordMade(who.userId, attempt, outcome.value);
  await accounts.close(attempt, 'refused', outcome.code);
  throw new ProblemError('validation_failed', 'Stripe refuses an account with these details', {
    extras: { stripeCode: outcome.code },
  });
}

/** Removes all that was made for a user at Stripe, also by a request whose answer never came. */
export async function removeAccount(accounts: AccountStore, stripe: StripeDoor, userId: string): Promise<void> {
  const { account, attempts } = await accounts.markRemoved(userId);
  const leftovers = new Set(account.stripeId ? [account.stripeId] : []);
  for (const attempt of attempts) {
    const who = { userId, role: account.role ?? 'student' };
    if (attempt.open) {
      const claim = await stripe.claimAccountKey(attempt.stripeKey, who);
      if (claim.kind === 'not_executed') throw claim.problem;
      if (claim.kind === 'in_use' || (claim.kind === 'doubtful' && !claim.replayed)) throw stripeIsAway();
    }
    for (const id of await stripe.findAccounts(who, attempt.startedAt)) leftovers.add(id);
  }
  for (const id of leftovers) await stripe.deleteAccount(id);
  await accounts.recordRemoved(userId, attempts);
}
