import { z } from 'zod';
import { type Config, ConfigError } from '../../../platform/config';
import { asProblem } from '../../../platform/problem';
import { deriveKey, type Sealed, seal, unseal } from '../../../platform/sealing';
import type { Logger } from '../../../platform/telemetry';
import type { ReceiptNames } from './rules';

const Names = z.strictObject({ payer: z.string().nullable(), payee: z.string().nullable() });

/** How the names on a payment's receipt are kept: nobody who reads the database alone reads them. */
export interface NameSealer {
  seal(paymentId: string, names: ReceiptNames): Sealed;
  /** @throws Error when they were sealed under another secret, for another payment, or changed since */
  open(paymentId: string, names: Sealed): ReceiptNames;
}

/** @throws ConfigError without PAYMENT_KEY_SECRET */
export function createNameSealer({ PAYMENT_KEY_SECRET: secret }: Pick<Config, 'PAYMENT_KEY_SECRET'>): NameSealer {
  if (secret === undefined)
    throw new ConfigError(
      'payment has no PAYMENT_KEY_SECRET, which the names on receipts are encrypted with: set it to 32 or more random characters',
    );
  const key = deriveKey(secret, 'payment/receipts');
  return {
    seal: (paymentId, names) => seal(key, paymentId, JSON.stringify(names)),
    open(paymentId, names) {
      const text = unseal(key, paymentId, names);
      if (text === undefined) throw new Error('the names on a receipt cannot be opened');
      return Names.parse(JSON.parse(text));
    },
  };
}

/** Names as they are stored with a receipt. */
export interface StoredNames {
  paymentId: string;
  names: Sealed;
}

/**
 * Refuses a secret that is not the one of the receipts there are: with it nobody could read them, and new ones would be sealed otherwise.
 * Where the database cannot be asked, as at a start while it is away, nothing is refused. `newest`: reads the newest receipt's names.
 * @throws ConfigError
 */
export async function refuseOtherSecret(
  sealer: NameSealer,
  newest: () => Promise<StoredNames | undefined>,
  logger: Logger,
): Promise<void> {
  let stored: StoredNames | undefined;
  try {
    stored = await newest();
  } catch (error) {
    if (asProblem(error).code !== 'upstream_unavailable') throw error;
    logger.warn('whether PAYMENT_KEY_SECRET opens the receipts could not be seen: the database is away');
    return;
  }
  try {
    if (stored) sealer.open(stored.paymentId, stored.names);
  } catch {
    throw new ConfigError(
      'This PAYMENT_KEY_SECRET does not open the newest receipt: use the one that payment ran with when it was issued',
    );
  }
}
