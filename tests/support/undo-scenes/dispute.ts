import type { Pair } from '../undo';

export const PAIRS: Record<string, Pair> = {};

export const FORWARD_ONLY: Record<string, string> = {
  gatherEvidence: 'a note, in place of the one before',
  submitEvidence: 'what the bank has nobody takes back',
  closeDispute: 'a note that its end was seen to',
};
