import { type SweepResult, sweepSchedule } from '../../workflows/sweep.api';
import type { TestPlatform } from './platform';
import { runNow } from './schedules';

/** Lets the sweep run now, and gives what its run came to. */
export function sweepNow(platform: TestPlatform): Promise<SweepResult> {
  return runNow(platform, sweepSchedule);
}
