/** Stripe's promise: the same key gives the first reply again. See https://docs.stripe.com/api/idempotent_requests */
import { createHash } from 'node:crypto';
import { badParameter, StripeProblem } from '../memory/errors';
import type { Store } from '../memory/store';
import type { StoredReply } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';

/** Stripe forgets a key once it is at least this old. */
const KEPT_MS = 24 * 3600 * 1000;
const FORGET_EVERY_MS = 3600 * 1000;

export interface KeyedRequest {
  key: string;
  endpoint: string;
  fingerprint: string;
}

/**
 * The idempotency key of a POST, with what its request asks for.
 * @throws StripeProblem (400) for a key over 255 characters
 */
export function keyedRequest(key: string, path: string, form: unknown): KeyedRequest {
  if (key.length > 255) {
    throw badParameter('Idempotency-Key must be 255 characters or less.', 'Idempotency-Key');
  }
  const fingerprint = createHash('sha256').update(canonical(form)).digest('base64url');
  return { key, endpoint: `POST ${path}`, fingerprint };
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : 1)))
      : part,
  );
}

/**
 * The reply to give again, if this key was used before.
 * @throws StripeProblem (400 `idempotency_error`) if it was used for something else
 */
export function earlierReply(tx: Tx, { key, endpoint, fingerprint }: KeyedRequest): StoredReply | undefined {
  const stored = tx.unit.staged.replies.get([tx.account, key]);
  if (stored === undefined) return undefined;
  if (stored.endpoint !== endpoint) {
    throw misused(
      `Keys for idempotent requests can only be used for the same endpoint they were first used for ` +
        `('${stored.endpoint}' vs '${endpoint}'). Try using a key other than '${key}' if you meant to execute a different request.`,
    );
  }
  if (stored.fingerprint !== fingerprint) {
    throw misused(
      `Keys for idempotent requests can only be used with the same parameters they were first used with. ` +
        `Try using a key other than '${key}' if you meant to execute a different request.`,
    );
  }
  return stored;
}

/** Keeps a first reply, in the transaction of its effects. A key that already has one keeps that. */
export function keepReply(
  tx: Tx,
  request: KeyedRequest,
  reply: Pick<StoredReply, 'status' | 'body' | 'requestId'>,
): void {
  const { replies, replyAges } = tx.unit.staged;
  const slot: [string, string] = [tx.account, request.key];
  if (replies.get(slot) !== undefined) return;
  replies.put(slot, { ...reply, endpoint: request.endpoint, fingerprint: request.fingerprint });
  replyAges.put([tx.unit.now, tx.unit.nextSeq()], slot);
}

function misused(message: string): StripeProblem {
  return new StripeProblem(400, { type: 'idempotency_error', message }, { executed: false });
}

/** Keys whose first request is still being answered. Stripe refuses a second one meanwhile instead of letting it wait. */
export class KeysInUse {
  private readonly keys = new Set<string>();

  /** @throws StripeProblem (409 `idempotency_key_in_use`) */
  enter(account: string, key: string): () => void {
    const slot = JSON.stringify([account, key]);
    if (this.keys.has(slot)) {
      throw new StripeProblem(
        409,
        {
          type: 'idempotency_error',
          code: 'idempotency_key_in_use',
          message:
            'There is currently another in-progress request using this Idempotent Key (that probably means you submitted ' +
            `twice, and the other request is still going through): ${key}. Please try again later.`,
        },
        { executed: false, headers: { 'Stripe-Should-Retry': 'true' } },
      );
    }
    this.keys.add(slot);
    return () => this.keys.delete(slot);
  }
}

/** Forgets old keys now and then; returns how to stop. */
export function forgetOldReplies(store: Store): () => void {
  const forgetAll = async () => {
    while ((await store.forgetReplies(Date.now() - KEPT_MS)) > 0);
  };
  const forget = () => {
    forgetAll().catch((error: unknown) => {
      console.error('stripe sandbox: could not forget old idempotency keys:', error);
    });
  };
  const timer = setInterval(forget, FORGET_EVERY_MS);
  timer.unref();
  forget();
  return () => clearInterval(timer);
}
