import { grantAdmin } from '../services/identity/store/roles';
import { asOperator } from './as-operator';

/** `npm run grant-admin -- <e-mail>`: nobody can register as an admin, so the holder of the database makes the first one. */
void asOperator('grant-admin', async ({ database }) => {
  const email = process.argv[2];
  if (!email) throw new Error('Say whose role changes: npm run grant-admin -- somebody@example.com');
  return `${await grantAdmin(database('identity').db, email)} is an admin from the next login on`;
});
