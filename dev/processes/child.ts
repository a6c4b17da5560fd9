/** One process that the supervisor keeps alive. */
export interface ChildSpec {
  name: string;
  command: string;
  args: string[];
  /** The whole environment. */
  env: NodeJS.ProcessEnv;
  cwd: string;
  user?: { uid: number; gid: number } | undefined;
  /** Runs before every start: what a killed predecessor left behind is put right here. */
  beforeStart?: () => Promise<void>;
  /** Ready when it has printed a line that matches, or when the probe says so. */
  ready: { line: RegExp } | { probe: () => Promise<boolean> };
  readyTimeoutMs: number;
  /** How often the first start is tried; a later one is tried for ever. */
  attempts?: number;
  stopSignal: 'SIGTERM' | 'SIGINT';
  /** How long it may take to stop before it is killed. */
  graceMs: number;
  /** What of a line of its output is worth the screen; undefined: only its log file keeps it. */
  show: (line: string) => string | undefined;
}
