import type { Pair } from '../undo';

export const PAIRS: Record<string, Pair> = {};

export const FORWARD_ONLY: Record<string, string> = {
  internalLookAtSuspension: 'it reads, and notes that its saga runs',
  unlistTutor: 'given back by relistTutor when the suspension is over',
  relistTutor: 'the end of a suspension',
  freezePayouts: 'given back by thawPayouts when the suspension is over',
  thawPayouts: 'the end of a suspension',
  internalReinstateUser: 'the end of a suspension',
  internalWithdrawBooking: 'what is declined or cancelled stays so',
};
