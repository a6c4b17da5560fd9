import { rotateSigningKey } from '../services/identity/keyring';
import { asOperator } from './as-operator';

const USAGE = `npm run rotate-key                    a routine change, which nobody notices
npm run rotate-key -- --compromised   the keys of now count no more: every access token ends, clients refresh`;

/** `npm run rotate-key`: gives access tokens a new signing key. */
void asOperator('rotate-key', async ({ config, database }) => {
  const options = process.argv.slice(2);
  const compromised = options.includes('--compromised');
  if (options.length > (compromised ? 1 : 0)) throw new Error(USAGE);
  const kid = await rotateSigningKey({ config, database: database('identity') }, { compromised });
  return compromised
    ? `${kid} signs from now on, and the keys from before are forgotten. Restart all services: they remember keys for up to ten minutes`
    : `${kid} is published, and signs in 15 minutes; the keys from before are published for an hour after that`;
});
