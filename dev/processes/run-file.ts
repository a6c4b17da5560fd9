import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { isRunning, stopProcess } from './identify';

const childSchema = z.object({
  name: z.string(),
  pid: z.number(),
  born: z.string(),
  stopSignal: z.enum(['SIGTERM', 'SIGINT']),
});
const runSchema = z.object({ children: z.array(childSchema) });

export type RunningChild = z.output<typeof childSchema>;

/** Held by the process that runs a platform on this data folder. */
export const lockFile = (dataDir: string) => join(dataDir, 'run.lock');

const runFile = (dataDir: string) => join(dataDir, 'run.json');

/** Notes which processes run, so that the next start finds them should this one be killed. */
export function noteChildren(dataDir: string, children: RunningChild[]): void {
  const draft = `${runFile(dataDir)}.new`;
  try {
    writeFileSync(draft, JSON.stringify({ children }), { mode: 0o600 });
    renameSync(draft, runFile(dataDir));
  } catch {
    // A full disk must not end the platform: the note is for the case that it is killed.
  }
}

/** The processes of the platform on this data folder that are alive, whoever started them. */
export function livingChildren(dataDir: string): RunningChild[] {
  let content: unknown;
  try {
    content = JSON.parse(readFileSync(runFile(dataDir), 'utf8'));
  } catch {
    return [];
  }
  const parsed = runSchema.safeParse(content);
  return parsed.success ? parsed.data.children.filter(isRunning) : [];
}

/** Stops what a killed run left behind. Call only while holding the lock. */
export async function stopLeftBehind(dataDir: string, graceMs: number, say: (line: string) => void): Promise<void> {
  const left = livingChildren(dataDir);
  if (left.length === 0) return;
  say(`Stopping what a run that was killed left behind: ${left.map((child) => child.name).join(', ')}`);
  await Promise.all(left.map((child) => stopProcess(child, child.stopSignal, graceMs)));
}
