import { type Config, ConfigError } from '../../platform/config';
import { deriveKey, type Sealed, seal, unseal } from '../../platform/sealing';
import { RecordNotification } from './contract';

/** A message under AES-256-GCM; `keyId` says which key opens it. */
export type SealedFacts = Sealed & { keyId: string };

/** How messages are kept until their mails are settled: nobody who reads the database alone reads them. */
export interface FactsSealer {
  /** Names the key: what was sealed under another one waits for a process that has it. */
  keyId: string;
  seal(businessKey: string, message: RecordNotification): SealedFacts;
  /** @throws Error when it was sealed for another business key, changed since, or is no message any more */
  open(businessKey: string, facts: SealedFacts): RecordNotification;
}

/** @throws ConfigError without NOTIFICATION_KEY_SECRET */
export function createFactsSealer({
  NOTIFICATION_KEY_SECRET: secret,
}: Pick<Config, 'NOTIFICATION_KEY_SECRET'>): FactsSealer {
  if (secret === undefined)
    throw new ConfigError(
      'notification has no NOTIFICATION_KEY_SECRET, which unsent mails are encrypted with: set it to 32 or more random characters',
    );
  const key = deriveKey(secret, 'notification/facts');
  const keyId = deriveKey(secret, 'notification/facts-key-id').toString('base64url').slice(0, 12);
  return {
    keyId,
    seal: (businessKey, message) => ({ keyId, ...seal(key, businessKey, JSON.stringify(message)) }),
    open(businessKey, facts) {
      const text = unseal(key, businessKey, facts);
      if (text === undefined) throw new Error('the sealed facts of a mail cannot be opened');
      return RecordNotification.parse(JSON.parse(text));
    },
  };
}
