import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export interface CommandOptions extends Pick<SpawnOptions, 'cwd' | 'env' | 'uid' | 'gid'> {
  input?: string;
  /** Every line of either stream as it comes. */
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** SIGKILL after this long. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface CommandResult {
  /** null: ended by a signal, or never started. */
  code: number | null;
  /** Both streams, their last 200 lines. */
  output: string;
  /** The second stream alone. */
  errors: string;
}

// A process that ends in the middle of a long command takes the command along.
const running = new Set<ChildProcess>();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});

/** Runs a command to its end. Never throws: one that cannot be started has code null and the reason as output. */
export function runCommand(command: string, args: string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { input, onLine, timeoutMs, ...spawnOptions } = options;
  return new Promise((resolve) => {
    const lines: { line: string; stream: 'stdout' | 'stderr' }[] = [];
    const textOf = (stream?: 'stderr') =>
      lines
        .filter((entry) => !stream || entry.stream === stream)
        .map(({ line }) => line)
        .join('\n');
    const child = spawn(command, args, {
      ...spawnOptions,
      stdio: ['pipe', 'pipe', 'pipe'],
      killSignal: 'SIGKILL',
      ...(timeoutMs && { timeout: timeoutMs }),
    });
    running.add(child);
    for (const stream of ['stdout', 'stderr'] as const) {
      createInterface({ input: child[stream] }).on('line', (line) => {
        lines.push({ line, stream });
        if (lines.length > 200) lines.shift();
        onLine?.(line, stream);
      });
    }
    child.stdin.on('error', () => undefined); // one that ended without reading
    child.stdin.end(input ?? '');
    child.once('error', (error) => {
      running.delete(child);
      resolve({ code: null, output: error.message, errors: error.message });
    });
    child.once('close', (code) => {
      running.delete(child);
      resolve({ code, output: textOf(), errors: textOf('stderr') });
    });
  });
}

/** Where `command` is on PATH, if it is and can be run. */
export async function findOnPath(command: string): Promise<string | undefined> {
  const { code, output } = await runCommand('sh', ['-c', 'command -v "$1"', 'sh', command], { timeoutMs: 5_000 });
  return code === 0 && output.startsWith('/') ? output.trim() : undefined;
}
