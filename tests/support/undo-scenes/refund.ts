import type { Pair } from '../undo';

export const PAIRS: Record<string, Pair> = {};

export const FORWARD_ONLY: Record<string, string> = {
  submitRefund: 'a refund’s own saga goes forward only',
  retryRefund: 'a refund’s own saga goes forward only',
  closeRefund: 'a refund’s own saga goes forward only',
  giveUpRefund: 'what an operator said',
};
