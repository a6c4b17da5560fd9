import { ProblemError } from '../../../kernel/errors';
import type { CreateAccount } from '../contract';
import { perform } from '../stripe/attempt';
import { stripeIsAway } from '../stripe/door';
import { closeWithoutEffect } from '../stripe/store';
import type { Till } from '../till';
import { beginAccount, idsOf, markAccountRemoved, recordAccountMade, recordAccountRemoved } from './store';

/**
 * Makes a user known to Stripe. Name and e-mail go there and are kept nowhere here.
 * @throws ProblemError undone after the removal; validation_failed when Stripe refuses the details;
 * rate_limited, upstream_unavailable to call again under the same key
 */
export async function openAccount({ db, stripe }: Till, key: string, who: CreateAccount): Promise<void> {
  const attempt = await beginAccount(db, key, who);
  if (!attempt) return;
  const outcome = await perform(attempt, {
    find: async () => (await stripe.findAccounts(who, attempt.startedAt))[0] ?? null,
    send: (stripeKey) => stripe.createAccount(stripeKey, who),
    giveUp: () => closeWithoutEffect(db, { attempt, outcome: 'nothing' }),
  });
  if (outcome.kind === 'done') return recordAccountMade(db, who.accountId ?? who.userId, attempt, outcome.value);
  await closeWithoutEffect(db, { attempt, outcome: 'refused', code: outcome.code });
  throw new ProblemError('validation_failed', 'Stripe refuses an account with these details', {
    extras: { stripeCode: outcome.code },
  });
}

/**
 * Removes all that was made under this id at Stripe, also by a request whose answer never came.
 * @throws ProblemError rate_limited, upstream_unavailable to call again
 */
export async function removeAccount({ db, stripe }: Till, accountId: string): Promise<void> {
  const { account, attempts } = await markAccountRemoved(db, accountId);
  const leftovers = new Set(account.stripeId ? [account.stripeId] : []);
  for (const attempt of attempts) {
    const who = { ...idsOf(account), role: account.role ?? 'student' };
    if (attempt.open) {
      const claim = await stripe.claimAccountKey(attempt.stripeKey, who);
      if (claim.kind === 'not_executed') throw claim.problem;
      if (claim.kind === 'in_use' || (claim.kind === 'doubtful' && !claim.replayed)) throw stripeIsAway();
    }
    for (const id of await stripe.findAccounts(who, attempt.startedAt)) leftovers.add(id);
  }
  for (const id of leftovers) await stripe.deleteAccount(id);
  await recordAccountRemoved(db, accountId, attempts);
}
