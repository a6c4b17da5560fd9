import type { PayoutAccount } from '../contract';

/** A connected account at Stripe, as far as we need it. */
export interface AccountFacts {
  /** Its owner has told Stripe what it asked at first. */
  detailsSubmitted: boolean;
  /** We may transfer to it, and Stripe pays out of it. */
  isPaid: boolean;
  /** What Stripe wants to know, in its own names. */
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
