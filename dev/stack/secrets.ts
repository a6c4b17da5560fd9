import { createHmac, randomBytes } from 'node:crypto';
import { chmodSync, linkSync, mkdirSync, readFileSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errorCode } from '../machine/error-code';

const secretsSchema = z.object({
  SERVICE_TOKEN_SECRET: z.string().min(32),
  IDENTITY_KEY_SECRET: z.string().min(32).optional(),
  NOTIFICATION_KEY_SECRET: z.string().min(32).optional(),
  PAYMENT_KEY_SECRET: z.string().min(32).optional(),
  DATABASE_ROLE_SECRET: z.string().min(32),
  STRIPE_WEBHOOK_SECRET: z.string().min(8),
  STRIPE_CONNECT_WEBHOOK_SECRET: z.string().min(8).optional(),
  POSTGRES_PASSWORD: z.string().min(16),
});

export type Secrets = Required<z.output<typeof secretsSchema>>;

/**
 * The secrets of the embedded platform: made at random the first time, then read from `<dataDir>/secrets.json`, which
 * only its owner can read. Two processes that start at once get the same secrets.
 * @throws Error naming a damaged file
 */
export function readOrMakeSecrets(dataDir: string): Secrets {
  makeDataDir(dataDir);
  const file = join(dataDir, 'secrets.json');
  return read(file) ?? make(file);
}

/** The data folder itself can be passed through by others (Postgres may be one); what is secret inside has modes of its own. */
export function makeDataDir(dataDir: string): void {
  const made = mkdirSync(dataDir, { recursive: true });
  // Only a folder made here: an existing one is its owner's business.
  if (made !== undefined) chmodSync(dataDir, 0o711);
}

function make(file: string): Secrets {
  const text = () => randomBytes(32).toString('base64url');
  const secrets: Secrets = {
    SERVICE_TOKEN_SECRET: text(),
    IDENTITY_KEY_SECRET: text(),
    NOTIFICATION_KEY_SECRET: text(),
    PAYMENT_KEY_SECRET: text(),
    DATABASE_ROLE_SECRET: text(),
    STRIPE_WEBHOOK_SECRET: `whsec_${text()}`,
    STRIPE_CONNECT_WEBHOOK_SECRET: `whsec_${text()}`,
    POSTGRES_PASSWORD: text(),
  };
  // The file is written in full under another name and then linked: it never exists half, and the first of two
  // processes wins.
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`;
  writeFileSync(draft, `${JSON.stringify(secrets, null, 2)}\n`, { mode: 0o600, flag: 'wx' });
  try {
    linkSync(draft, file);
    return secrets;
  } catch (error) {
    const winner = read(file);
    if (winner) return winner;
    throw error;
  } finally {
    unlinkSync(draft);
  }
}

function read(file: string): Secrets | undefined {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
  const parsed = secretsSchema.safeParse(parseJson(text));
  if (parsed.success) return complete(parsed.data);
  throw new Error(`${file} is damaged: delete it, and the next start makes new secrets`);
}

/**
 * A folder from before there was one of these secrets has none of it. It is then derived and not drawn, so that all
 * processes find the same one.
 */
function complete(stored: z.output<typeof secretsSchema>): Secrets {
  const derived = (name: string) => createHmac('sha256', stored.POSTGRES_PASSWORD).update(name).digest('base64url');
  const {
    IDENTITY_KEY_SECRET = derived('IDENTITY_KEY_SECRET'),
    NOTIFICATION_KEY_SECRET = derived('NOTIFICATION_KEY_SECRET'),
    PAYMENT_KEY_SECRET = derived('PAYMENT_KEY_SECRET'),
    STRIPE_CONNECT_WEBHOOK_SECRET = `whsec_${derived('STRIPE_CONNECT_WEBHOOK_SECRET')}`,
  } = stored;
  return {
    ...stored,
    IDENTITY_KEY_SECRET,
    NOTIFICATION_KEY_SECRET,
    PAYMENT_KEY_SECRET,
    STRIPE_CONNECT_WEBHOOK_SECRET,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
