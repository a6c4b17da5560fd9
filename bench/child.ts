import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { z } from 'zod';

const readySchema = z.object({ port: z.number() });

export interface Child {
  pid: number;
  url: string;
  stop(): Promise<void>;
}

const STOP_MS = 25_000;

/** Starts a script beside this one that reports the port it listens on. @throws Error with what it said when it does not get there */
export async function startChild(
  script: string,
  args: string[],
  options: { env: NodeJS.ProcessEnv; nodeArgs?: string[]; readyMs?: number },
): Promise<Child> {
  const child: ChildProcess = fork(join(__dirname, script), args, {
    env: options.env,
    execArgv: ['--disable-warning=ExperimentalWarning', ...(options.nodeArgs ?? [])],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
  let said = '';
  const hear = (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4_000);
  };
  child.stdout?.on('data', hear);
  child.stderr?.on('data', hear);
  const port = await new Promise<number>((resolve, reject) => {
    const late = setTimeout(() => fail('is not ready in time'), options.readyMs ?? 60_000);
    const fail = (how: string) => {
      clearTimeout(late);
      child.kill('SIGKILL');
      reject(new Error(`${script} ${args.join(' ')} ${how}:\n${said}`));
    };
    child.once('exit', (code, signal) => fail(`ended (${code ?? signal})`));
    child.once('message', (message) => {
      clearTimeout(late);
      child.removeAllListeners('exit');
      resolve(readySchema.parse(message).port);
    });
  });
  if (child.pid === undefined) throw new Error(`${script} has no process`);
  return {
    pid: child.pid,
    url: `http://127.0.0.1:${port}`,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const exit = once(child, 'exit');
      child.kill('SIGTERM');
      const late = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
      await exit;
      clearTimeout(late);
    },
  };
}
