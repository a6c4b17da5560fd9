import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { errorCode } from '../machine/error-code';
import { identify, isRunning, type ProcessId } from './identify';

const holderSchema = z.object({ pid: z.number(), born: z.string() });

/** The running process that holds `file`; undefined when nobody does, or its holder died. */
export function lockHolder(file: string): ProcessId | undefined {
  try {
    const holder = holderSchema.safeParse(JSON.parse(readFileSync(file, 'utf8')));
    return holder.success && isRunning(holder.data) ? holder.data : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Takes the lock `file` for this process unless another living one holds it. A lock whose holder died is taken over.
 * @returns what gives it back, or undefined when somebody holds it
 */
export async function tryLock(file: string): Promise<(() => void) | undefined> {
  mkdirSync(dirname(file), { recursive: true });
  const mark = randomBytes(6).toString('hex');
  const draft = `${file}.${mark}`;
  const content = JSON.stringify({ ...identify(process.pid), mark });
  writeFileSync(draft, content, { flag: 'wx' });
  try {
    for (let attempt = 0; attempt < 5; attempt++) {
      if (link(draft, file)) {
        // Another process that also saw the dead holder may be removing the file just now: look again after that.
        await sleep(20);
        if (contentOf(file) === content) return () => release(file, content);
      }
      if (lockHolder(file)) return undefined;
      rmSync(file, { force: true });
    }
    return undefined;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Runs `work` while holding `file`; waits for as long as somebody else holds it. */
export async function withLock<T>(file: string, work: () => Promise<T>, onWait?: (pid: number) => void): Promise<T> {
  for (let told = false; ; told = true) {
    const giveBack = await tryLock(file);
    if (giveBack) {
      try {
        return await work();
      } finally {
        giveBack();
      }
    }
    const holder = lockHolder(file);
    if (holder && !told) onWait?.(holder.pid);
    await sleep(250);
  }
}

function link(draft: string, file: string): boolean {
  try {
    linkSync(draft, file);
    return true;
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false;
    throw error;
  }
}

function contentOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
}

function release(file: string, content: string): void {
  if (contentOf(file) === content) rmSync(file, { force: true });
}
