import { isRetryable } from './problem';

/**
 * Does something for each in turn, for as long as who is asked for it answers: whoever comes after the first failure that asking again may
 * mend has no turn. What asking again does not mend holds up nobody behind it.
 * @returns how many had no turn, whose turn failed so included, and the failures that asking again does not mend
 */
export async function inTurn<One>(
  all: readonly One[],
  act: (one: One) => Promise<void>,
): Promise<{ left: number; failures: unknown[] }> {
  const failures: unknown[] = [];
  for (const [done, one] of all.entries()) {
    try {
      await act(one);
    } catch (error) {
      if (isRetryable(error)) return { left: all.length - done, failures };
      failures.push(error);
    }
  }
  return { left: 0, failures };
}
