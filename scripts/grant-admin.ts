import { identityKey } from '../services/identity/keyring';
import { grantAdmin } from '../services/identity/store/roles';
import { asOperator } from './as-operator';

const USAGE = `npm run grant-admin -- somebody@example.com                       makes somebody an administrator
npm run grant-admin -- somebody@example.com --new-second-factor   and gives one who has lost theirs another second factor`;

/**
 * `npm run grant-admin -- <e-mail>`: nobody can register as an admin, so the holder of the database makes the first one. Prints the second factor
 * that the person signs in with, this once.
 */
void asOperator('grant-admin', async ({ config, database }) => {
  const [email, option, ...more] = process.argv.slice(2);
  const anew = option === '--new-second-factor';
  if (!email || email.startsWith('-') || (option !== undefined && !anew) || more.length > 0) throw new Error(USAGE);
  const key = identityKey(config, 'totp');
  const { userId, enrolment } = await grantAdmin(database('identity').db, email, { key, anew });
  const granted = `${userId} is an admin from the next login on`;
  if (!enrolment) return `${granted}, with the second factor that they have`;
  return `${granted}, with this second factor. It is shown this once:

  ${enrolment.otpauthUri}

  In an authenticator app: "enter a key", ${enrolment.secret}
  Without the app, each of these once in place of a code:

  ${enrolment.recoveryCodes.join('\n  ')}`;
});
