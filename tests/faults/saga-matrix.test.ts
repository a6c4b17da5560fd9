import { playAgainstFaults } from './saga-plays';

// Each step of these sagas against each fault: who signs up, asks for a mail, becomes a tutor, and what comes in and goes back to whom it came from.

playAgainstFaults(['sign-up', 'account-mail', 'tutor-account', 'payment', 'refund']);
