import type { z } from 'zod';
import type { ErrorCode } from '../kernel/errors';
import type { UndoKey } from '../kernel/step-key';

export type Role = 'student' | 'tutor' | 'admin';

/**
 * Who may call: anybody, any signed-in user, users of certain roles, only the platform's own parts (a service token,
 * `/internal/…`, never routed by the gateway), or Stripe, whose signature the handler checks itself.
 */
export type Access = 'anonymous' | 'user' | readonly Role[] | 'service' | 'signed';

/** Whom the platform speaks to outside. Each has one door: `payment/stripe/door`, `notification/mailer.ts`, `identity/oidc/door.ts`. */
export type Vendor = 'stripe' | 'smtp' | 'oidc';

/**
 * What a write does with `Idempotency-Key`: must have it, may have it, or stores no reply at all. `undo`: it takes back the step whose key
 * stands before the `/undo` of its own, and that step is refused with `undone` from then on.
 */
export type IdempotencyRule = 'required' | 'optional' | 'none' | 'undo';

/**
 * One operation a service promises. The contract is the single source: the server validates by it (`serve`), the typed
 * client calls by it (`ServiceClient.call`) and the OpenAPI document is generated from it.
 */
export interface Endpoint {
  method: 'get' | 'post' | 'put' | 'patch' | 'delete';
  /** OpenAPI style: `/api/bookings/{id}`. */
  path: string;
  /** A unique camelCase name, the OpenAPI `operationId`. */
  operationId: string;
  summary: string;
  description?: string;
  access: Access;
  /** Administrators may call it although they have shown no second factor; left out: they may not. Where they set one up. */
  withoutSecondFactor?: true;
  idempotency?: IdempotencyRule;
  /**
   * Of an internal operation: the members of its body that were asked for, by id. Two requests under one key must share these
   * and the path. The rest of the body is what an activity gathers from other services, and a name or a price may have changed when
   * a step is repeated after a crash. Without it the whole body counts, as it must for what people send.
   */
  fingerprint?: readonly string[];
  /** The vendors it may wait for; left out: none. A vendor's door refuses whoever does not say so (`platform/vendors.ts`). */
  reaches?: readonly Vendor[];
  params?: z.ZodObject;
  query?: z.ZodObject;
  body?: z.ZodType;
  /** Success status → schema of the reply, `null` for an empty one. */
  replies: Partial<Record<200 | 201 | 202 | 204, z.ZodType | null>>;
  /** What its replies are, where they are no JSON: text or bytes, sent as they are. Its refusals are problem+json all the same. */
  media?: 'text/csv' | 'application/pdf';
  /** Refusals this operation adds to those that every operation can answer with. */
  errors?: readonly ErrorCode[];
}

/** Whether an operation is refused to an administrator who has shown no second factor. */
export function asksSecondFactor({ access, withoutSecondFactor }: Endpoint): boolean {
  if (withoutSecondFactor) return false;
  return access === 'user' || (typeof access !== 'string' && access.includes('admin'));
}

/** Keeps the literal types of a contract's operation. */
export function endpoint<const E extends Endpoint>(definition: E): E {
  return definition;
}

type Parsed<S> = S extends z.ZodType ? z.output<S> : Record<string, never>;
type Sent<S> = S extends z.ZodType ? z.input<S> : undefined;
type ReplyBody<S> = S extends z.ZodType ? z.output<S> : undefined;

/** The key that an operation has by its rule. */
export type KeyOf<E extends Endpoint> = E['idempotency'] extends 'undo'
  ? UndoKey
  : E['idempotency'] extends 'required'
    ? string
    : string | undefined;

export type ParamsOf<E extends Endpoint> = Parsed<E['params']>;
export type QueryOf<E extends Endpoint> = Parsed<E['query']>;
export type BodyOf<E extends Endpoint> = Parsed<E['body']>;
export type SentParams<E extends Endpoint> = Sent<E['params']>;
export type SentQuery<E extends Endpoint> = Sent<E['query']>;
export type SentBody<E extends Endpoint> = Sent<E['body']>;

/** The union of `{status, body}` an operation may answer with. */
export type ReplyOf<E extends Endpoint> = {
  [Status in keyof E['replies'] & number]: {
    status: Status;
    body: ReplyBody<E['replies'][Status]>;
    headers?: Record<string, string>;
  };
}[keyof E['replies'] & number];

/** What a caller gets back: the body of whichever success reply came. */
export type ResultOf<E extends Endpoint> = ReplyOf<E>['body'];
