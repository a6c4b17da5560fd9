import { ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import { createLogger } from '../../../platform/telemetry';
import { createNameSealer, refuseOtherSecret } from './sealed-names';

const sealer = createNameSealer({ PAYMENT_KEY_SECRET: 'the secret of payment in this test' });
const other = createNameSealer({ PAYMENT_KEY_SECRET: 'the secret of payment after a change' });
const logger = createLogger('payment', 'silent');
const paymentId = uuidv7();
const names = { payer: 'Łukasz Żółć', payee: null };

test('names are read again under the secret and payment that they were sealed for, and under no other', () => {
  const sealed = sealer.seal(paymentId, names);
  expect(JSON.stringify(sealed)).not.toContain('ukasz');
  expect(sealer.open(paymentId, sealed)).toEqual(names);
  expect(() => sealer.open(uuidv7(), sealed)).toThrow('the names on a receipt cannot be opened');
  expect(() => other.open(paymentId, sealed)).toThrow('the names on a receipt cannot be opened');
});

test('there is no sealing without a secret', () => {
  expect(() => createNameSealer({ PAYMENT_KEY_SECRET: undefined })).toThrow(
    'payment has no PAYMENT_KEY_SECRET, which the names on receipts are encrypted with: set it to 32 or more random characters',
  );
});

test('another secret than that of the newest receipt is refused; the same, or any while there is none, is not', async () => {
  const newest = async () => ({ paymentId, names: sealer.seal(paymentId, names) });
  await expect(refuseOtherSecret(other, newest, logger)).rejects.toThrow(
    'This PAYMENT_KEY_SECRET does not open the newest receipt',
  );
  await refuseOtherSecret(sealer, newest, logger);
  await refuseOtherSecret(other, async () => undefined, logger);
});

test('a database that is away refuses nobody, one that answers with an error does', async () => {
  const away = new ProblemError('upstream_unavailable');
  await refuseOtherSecret(other, () => Promise.reject(away), logger);
  const broken = new Error('relation "receipts" does not exist');
  await expect(refuseOtherSecret(other, () => Promise.reject(broken), logger)).rejects.toBe(broken);
});
