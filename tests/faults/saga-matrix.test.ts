import { playAgainstFaults } from './saga-plays';

// Each step of these sagas against each fault: what comes in, and what goes back to whom it came from.

playAgainstFaults(['sign-up', 'payment', 'refund']);
