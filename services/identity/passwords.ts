import { hash, verify } from '@node-rs/argon2';
import { randomToken } from './secrets';

// argon2id as OWASP's Password Storage Cheat Sheet advises: 19 MiB, two passes, one lane. The library's default algorithm is argon2id.
const PARAMETERS = { memoryCost: 19_456, timeCost: 2, parallelism: 1 };

/** The argon2id hash of a password, in PHC form with its salt and parameters. */
export function hashPassword(password: string): Promise<string> {
  return hash(password, PARAMETERS);
}

let decoy: Promise<string> | undefined;

/**
 * Whether `password` is the one of `stored`. Without a stored hash it does the same work against a decoy, so that an
 * unknown account takes as long to refuse as a wrong password.
 */
export async function verifyPassword(stored: string | undefined, password: string): Promise<boolean> {
  decoy ??= hashPassword(randomToken());
  const matches = await verify(stored ?? (await decoy), password);
  return stored !== undefined && matches;
}

/** Makes the decoy beforehand, so that not even the first unknown account takes longer. */
export async function preparePasswords(): Promise<void> {
  await verifyPassword(undefined, '');
}
