import { playAgainstFaults } from './saga-plays';

// Each step of these sagas against each fault: who is kept out and has all back.

playAgainstFaults(['suspension']);
