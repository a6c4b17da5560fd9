import { SECOND } from '../kernel/time';
import type { Config } from './config';
import { createLogger } from './telemetry';

/** How the log line of an error that nobody caught begins. */
export const UNCAUGHT = 'an error that nobody caught';

/** What a stop may take beyond the time that running requests are given: after that something hangs that does not end by itself. */
const STOP_SLACK_MS = 10 * SECOND;

/**
 * An error that nobody caught leaves a process that nobody has thought of (nodejs.org/api/process.html, `uncaughtException`): it is
 * logged, what runs is ended in order by `stop`, and the process exits with 1. Whoever looks after it starts another.
 */
export function endAfterUncaught(
  { LOG_LEVEL, SHUTDOWN_GRACE_SECONDS }: Pick<Config, 'LOG_LEVEL' | 'SHUTDOWN_GRACE_SECONDS'>,
  stop: () => Promise<void>,
): void {
  const logger = createLogger('process', LOG_LEVEL);
  const end = (err: unknown) => {
    logger.fatal({ err }, `${UNCAUGHT}: this process ends what runs and exits`);
    process.exitCode = 1;
    setTimeout(() => process.exit(), SHUTDOWN_GRACE_SECONDS * SECOND + STOP_SLACK_MS).unref();
    void stop().finally(() => process.exit());
  };
  process.on('uncaughtException', end);
  process.on('unhandledRejection', end);
}
