import { playAgainstFaults } from './saga-plays';

// Each step of this saga against each fault: who changes their address, and takes that back.

playAgainstFaults(['email-change']);
