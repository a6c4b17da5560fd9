import { setTimeout as sleep } from 'node:timers/promises';
import type { Sql } from 'postgres';
import type { Cast } from './records';
import { RESTS_WITHIN_MS } from './requests';

const AN_HOUR = '1 hour';
/** Longer than the earnings of a direct payment rest (EARNINGS_HOLD_DAYS). */
const A_REST = '8 days';
const AGAIN_AFTER_MS = 500;

/** Ages rows of databases that may be down: they are asked until they have answered. */
export function timeOf({
  bookings,
  payments,
}: {
  bookings: Sql;
  payments: Sql;
}): Pick<Cast, 'letTimePass' | 'letEarningsRest'> {
  return {
    async letTimePass(id) {
      await untilAnswered(
        () => bookings`
          update booking_requests set created_at = created_at - ${AN_HOUR}::interval where id = ${id}
          and created_at > now() - ${AN_HOUR}::interval`,
      );
    },
    async letEarningsRest(id) {
      for (const deadline = performance.now() + RESTS_WITHIN_MS; performance.now() < deadline; ) {
        await untilAnswered(
          () => payments`
            update payments set earnings_due_at = earnings_due_at - ${A_REST}::interval
            where id = ${id} and earnings_due_at > now()`,
        );
        const due = await untilAnswered(
          () => payments`
            select from payments where id = ${id}
            and (released_at is not null or (earnings_due_at <= now() and available_on <= now()))`,
        );
        if (due.length > 0) return;
        await sleep(AGAIN_AFTER_MS);
      }
      throw new Error(`the earnings of payment ${id} were not due within ${RESTS_WITHIN_MS / 1_000} s`);
    },
  };
}

async function untilAnswered<T>(ask: () => PromiseLike<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch {
      await sleep(AGAIN_AFTER_MS);
    }
  }
}
