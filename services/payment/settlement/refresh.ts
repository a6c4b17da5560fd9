import { askAgain } from '../charges/intent';
import type { PaymentRow } from '../charges/store/payments';
import { refreshRefunds } from '../refunds/refresh';
import type { Till } from '../till';

/**
 * Asks Stripe for the truth about a payment and its refunds, and records it. Makes nothing happen but the end of a decline.
 * @throws ProblemError rate_limited, upstream_unavailable
 */
export async function refresh(till: Till, payment: PaymentRow): Promise<PaymentRow> {
  const row = await askAgain(till, payment);
  return row.captured > 0 ? refreshRefunds(till, row) : row;
}
