import { Client, Connection, ScheduleOverlapPolicy } from '@temporalio/client';
import postgres from 'postgres';
import { ownerUrl } from '../../db/roles';
import type { Config } from '../../platform/config';
import { sweepSchedule } from '../../workflows/sweep.api';
import { until } from '../processes/identify';
import { ExpectationError } from './gateway';

/** Days that pass for some payments alone. No rule changes, and nobody else's earnings move. */
export interface Calendar {
  /** Makes the day from which the payments' earnings are payable today. @throws ExpectationError when they have no such day in time */
  letEarningsFallDue(paymentIds: readonly string[]): Promise<void>;
  /** Has the sweep run now, which its Schedule does every two minutes. */
  sweepNow(): Promise<void>;
}

/** The saga of a payment says a moment after the charge that its earnings rest from now on. */
const RESTS_WITHIN_MS = 30_000;

/** Undefined where a setting names another Postgres: its data are nobody's to change. */
export function calendarOf(config: Config): Calendar | undefined {
  if (config.databaseUrl.payment) return undefined;
  const server = `postgres://127.0.0.1:${config.POSTGRES_PORT}`;
  return {
    async letEarningsFallDue(paymentIds) {
      const payments = postgres(ownerUrl(server, 'payment', config.DATABASE_ROLE_SECRET ?? ''), { max: 1 });
      const moved = () => payments`
        update payments set earnings_due_at = least(earnings_due_at, now())
        where id = any(${paymentIds}::uuid[]) and earnings_due_at is not null`;
      try {
        const isDone = await until(async () => (await moved()).count === paymentIds.length, RESTS_WITHIN_MS, 100);
        if (!isDone) throw new ExpectationError(`Of payments ${paymentIds.join(', ')} the earnings have no day yet`);
      } finally {
        await payments.end({ timeout: 1 });
      }
    },
    async sweepNow() {
      const connection = await Connection.connect({ address: config.TEMPORAL_ADDRESS });
      try {
        const { schedule } = new Client({ connection, namespace: config.TEMPORAL_NAMESPACE });
        // One that runs at this moment may have looked before the day had come.
        await schedule.getHandle(sweepSchedule.scheduleId).trigger(ScheduleOverlapPolicy.BUFFER_ONE);
      } finally {
        await connection.close();
      }
    },
  };
}
