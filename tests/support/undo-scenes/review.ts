import type { Pair } from '../undo';

export const PAIRS: Record<string, Pair> = {};

export const FORWARD_ONLY: Record<string, string> = {
  receiveReview: 'what was published was read',
};
