import type { PayoutAccount } from '../contract';

/** What is known of a connected account at Stripe. */
export interface AccountFacts {
  detailsSubmitted: boolean;
  isPaid: boolean;
  currentlyDue: string[];
  disabledReason: string | null;
}

/** An account as its owner sees it. `facts` is null while there is none. */
export function shownAccount(facts: AccountFacts | null): PayoutAccount {
  if (!facts) return { status: 'not_started', currentlyDue: [], disabledReason: null };
  const { detailsSubmitted, isPaid, currentlyDue, disabledReason } = facts;
  const status = isPaid ? 'enabled' : detailsSubmitted ? 'restricted' : 'incomplete';
  return { status, currentlyDue, disabledReason };
}
