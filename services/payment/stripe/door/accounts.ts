import type Stripe from 'stripe';
import type { AccountFacts } from '../../accounts/rules';
import { type Asking, isNoAnswer, madeSince } from './asking';

/**
 * A tutor's account: Stripe collects what the law wants to know of them and shows them its Express dashboard; fees and
 * losses are the platform's, which charges by itself and transfers (docs.stripe.com/connect/separate-charges-and-transfers).
 */
const CONNECTED = {
  capabilities: { transfers: { requested: true } },
  controller: {
    fees: { payer: 'application' },
    losses: { payments: 'application' },
    stripe_dashboard: { type: 'express' },
  },
  // What is transferred waits for the payout that it was transferred for.
  settings: { payouts: { schedule: { interval: 'manual' } } },
} as const satisfies Stripe.AccountCreateParams;

/** Whose account it is. `accountId`: of an account beside what the user has, by what it was made for. */
interface Owned {
  accountId?: string | undefined;
  userId: string;
  role: 'student' | 'tutor';
}

/** By what an account of ours is known at Stripe. */
function metadataOf({ accountId, userId }: Owned) {
  return { userId, ...(accountId !== undefined && { accountId }) };
}

/** The calls by which people are known to Stripe. */
export function accountCalls(stripe: Stripe, { answerOf, reading }: Asking) {
  return {
    /** A customer for a student, a connected account for a tutor: somebody we may transfer to. @returns its id */
    createAccount: (key: string, who: Owned & { email: string; name: string }) =>
      answerOf('createAccount', isTheirDetails, async () => {
        const metadata = metadataOf(who);
        const options = { idempotencyKey: key };
        const { id } =
          who.role === 'student'
            ? await stripe.customers.create({ email: who.email, name: who.name, metadata }, options)
            : await stripe.accounts.create({ ...CONNECTED, email: who.email, metadata }, options);
        return id;
      }),

    /** As `claimIntentKey`, for an account: one without any personal data, which is found and deleted like the real one. */
    claimAccountKey: (key: string, who: Owned) =>
      answerOf('claimAccountKey', isNoAnswer, async () => {
        const metadata = metadataOf(who);
        const options = { idempotencyKey: key };
        if (who.role === 'student') await stripe.customers.create({ metadata }, options);
        else await stripe.accounts.create({ ...CONNECTED, metadata }, options);
      }),

    /** The ids of all accounts made under this id. */
    findAccounts: (who: Owned, since: Date) =>
      reading('findAccounts', async () => {
        const params = { ...madeSince(since), limit: 100 };
        const found: string[] = [];
        const list = who.role === 'student' ? stripe.customers.list(params) : stripe.accounts.list(params);
        for await (const { id, metadata } of list)
          if (metadata?.userId === who.userId && metadata.accountId === who.accountId) found.push(id);
        return found;
      }).then((found) => found ?? []),

    /** A connected account as Stripe has it now; null for one that is gone. */
    readAccount: (id: string) =>
      reading('readAccount', async (): Promise<AccountFacts> => {
        const account = await stripe.accounts.retrieve(id);
        return {
          detailsSubmitted: account.details_submitted,
          isPaid: account.payouts_enabled && account.capabilities?.transfers === 'active',
          currentlyDue: account.requirements?.currently_due ?? [],
          disabledReason: account.requirements?.disabled_reason ?? null,
        };
      }),

    /** A page of Stripe for an account's owner, good for one visit; null for an account that is gone. Asked for twice it makes two, of which none harms. */
    createOnboardingLink: (id: string, { returnUrl, refreshUrl }: { returnUrl: string; refreshUrl: string }) =>
      reading('createOnboardingLink', async () => {
        const link = await stripe.accountLinks.create({
          account: id,
          type: 'account_onboarding',
          return_url: returnUrl,
          refresh_url: refreshUrl,
        });
        return { url: link.url, expiresAt: new Date(link.expires_at * 1_000) };
      }),

    /** Deletes a customer or connected account; one that is gone already counts as deleted. */
    deleteAccount: async (id: string) => {
      await reading('deleteAccount', async () =>
        id.startsWith('cus_') ? await stripe.customers.del(id) : await stripe.accounts.del(id),
      );
    },
  };
}

/** An address that Stripe does not take for one is the person's. */
const isTheirDetails = (code: string) => code === 'email_invalid';
