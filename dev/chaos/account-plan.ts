import { chance } from './chance';
import type { AccountPlan } from './plan';

const BOOKINGS_AN_ACCOUNT = 10;

/** Draws whose accounts are taken and given back. Each has a stream of their own, so that none moves anything else of the script. */
export function drawAccounts({ seed, bookings }: { seed: number; bookings: number }): AccountPlan[] {
  return Array.from({ length: Math.ceil(bookings / BOOKINGS_AN_ACCOUNT) }, (_, number) => {
    const draw = chance(seed, `account/${number}`);
    return {
      kind: 'account' as const,
      number,
      role: draw.pick<AccountPlan['role']>([
        [1, 'student'],
        [1, 'tutor'],
      ]),
      // One new password at most: of one account three links an hour are sent, and each lost answer costs one.
      acts: draw.pick<AccountPlan['acts']>([
        [2, ['suspend', 'reset']],
        [2, ['reset', 'suspend']],
        [1, ['suspend', 'suspend', 'reset']],
        [1, ['suspend', 'suspend']],
      ]),
      pauseMs: Math.round(draw.between(200, 2_500)),
    };
  });
}
