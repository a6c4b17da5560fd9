import type { Pair } from '../undo';

export const PAIRS: Record<string, Pair> = {};

export const FORWARD_ONLY: Record<string, string> = {
  internalBeginAccountMail: 'it asks, and says that the saga runs',
  internalIssueLink: 'a token that ends by itself',
};
