/** One process that the supervisor keeps alive. */
export interface ChildSpec {
  name: string;
  command: string;
  args: string[];
  /** The whole environment. */
  env: NodeJS.ProcessEnv;
  cwd: string;
  user?: { uid: number; gid: number } | undefined;
  /** Runs before every start, and puts right what a killed predecessor left behind. */
  beforeStart?: () => Promise<void>;
  /** Ready when it has printed a line that matches, or when the probe says so. */
  ready: { line: RegExp } | { probe: () => Promise<boolean> };
  readyTimeoutMs: number;
  /** How often the first start is tried; a later one is tried for ever. */
  attempts?: number;
  stopSignal: 'SIGTERM' | 'SIGINT';
  /** How long it may take to stop before it is killed. */
  graceMs: number;
  /** The part of an output line that is worth the screen; undefined: only the log file keeps the line. */
  show: (line: string) => string | undefined;
}
