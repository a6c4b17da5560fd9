import { playAgainstFaults } from './saga-plays';

// Each step of these sagas against each fault: what payees are paid, owe, and what is disputed of theirs.

playAgainstFaults(['payout', 'debt', 'dispute']);
