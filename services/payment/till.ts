import type { ServiceDeps } from '../../platform/service';
import type { StripeDoor } from './stripe/door';

/** What every flow of money works with. */
export interface Till {
  db: ServiceDeps['database']['db'];
  stripe: StripeDoor;
  /** The platform's share of new payments, in per cent with at most two decimals. */
  feePercent: number;
  /** So many days after a direct payment the payee's share may become payable. */
  earningsHoldDays: number;
  /** The currencies in which our account at Stripe settles: new payments are in no others. */
  settling: readonly string[];
  /** What has to be payable before it is paid out, in minor units, where it is set (PAYOUT_MINIMUM_…). */
  minimums: ReadonlyMap<string, number>;
}
