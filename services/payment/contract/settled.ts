import { z } from 'zod';
import { SETTLEMENTS } from '../../../kernel/saga-type';

/** What became of money that an operator settled by hand: the one it was owed to has it by other means, or does without. */
export const SettledByHand = z.strictObject({ as: z.enum(SETTLEMENTS) });
export type SettledByHand = z.output<typeof SettledByHand>;
