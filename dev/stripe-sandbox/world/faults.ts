/**
 * Faults on demand: rules set by `POST /sandbox/faults` say which requests or webhooks go wrong, how, and how often.
 * They live in memory, so a restart ends them.
 */
import { z } from 'zod';

const milliseconds = z.int().min(0).max(3_600_000);

const common = {
  /** How many matching requests or webhooks are hit. */
  times: z.int().min(1).default(1),
  /** Chance that a match is hit at all: for storms. */
  probability: z.number().min(0).max(1).default(1),
  /** The rule ends after so long, used up or not: for outages. */
  forMs: milliseconds.optional(),
};

const requestMatch = z
  .strictObject({
    method: z.enum(['GET', 'POST', 'DELETE']).optional(),
    /** A prefix, or with `*` a pattern of the whole path in which `*` stands for one segment. */
    path: z.string().startsWith('/v1').optional(),
    /** The first of the matching requests to hit, counted from 1. */
    nth: z.int().min(1).optional(),
    idempotencyKey: z.string().optional(),
  })
  .default({});

const webhookMatch = z
  .strictObject({
    /** An event type, or with a trailing `*` a prefix of types. */
    type: z.string().optional(),
    nth: z.int().min(1).optional(),
  })
  .default({});

const onRequest = <K extends string, S extends z.core.$ZodLooseShape>(kind: K, more: S) =>
  z.strictObject({ ...common, ...more, kind: z.literal(kind), match: requestMatch });
const onWebhook = <K extends string, S extends z.core.$ZodLooseShape>(kind: K, more: S) =>
  z.strictObject({ ...common, ...more, kind: z.literal(kind), match: webhookMatch });

const requestFault = z.discriminatedUnion('kind', [
  /** 500 without an effect. Stored under the idempotency key like any reply unless `stored` is false. */
  onRequest('error_500', { stored: z.boolean().default(true) }),
  onRequest('error_500_after', {}),
  /** Stripe says no, without an effect. Not stored under the key. */
  onRequest('refuse_400', { code: z.string().min(1) }),
  onRequest('rate_limit_429', { retryAfterSeconds: z.int().min(0).max(3600).default(1) }),
  onRequest('drop_before', {}),
  onRequest('drop_after', {}),
  onRequest('truncate_after', {}),
  onRequest('hang', { ms: milliseconds, when: z.enum(['before', 'after']).default('before') }),
]);

const webhookFault = z.discriminatedUnion('kind', [
  onWebhook('webhook_delay', { ms: milliseconds }),
  onWebhook('webhook_double', {}),
  onWebhook('webhook_lose', {}),
  /** Held back until a later event has arrived, or for `ms` if none does. */
  onWebhook('webhook_reorder', { ms: milliseconds.default(30_000) }),
  onWebhook('webhook_bad_signature', {}),
  onWebhook('webhook_stale_timestamp', { ageSeconds: z.int().min(1).default(3600) }),
]);

export const faultBody = z.discriminatedUnion('kind', [requestFault, webhookFault]);

export type RequestFault = z.output<typeof requestFault>;
export type WebhookFault = z.output<typeof webhookFault>;

interface RequestFacts {
  method: string;
  path: string;
  idempotencyKey: string | undefined;
}

interface Rule<F> {
  fault: F;
  seen: number;
  left: number;
  /** When it ends by itself, as Date.now(). */
  until: number;
}

export type Faults = ReturnType<typeof createFaults>;

/** An empty set of rules. `forRequest` and `forWebhook` also use up what they return. */
export function createFaults() {
  const requests: Rule<RequestFault>[] = [];
  const webhooks: Rule<WebhookFault>[] = [];

  return {
    add(fault: RequestFault | WebhookFault): void {
      const rule = { seen: 0, left: fault.times, until: Date.now() + (fault.forMs ?? Number.POSITIVE_INFINITY) };
      if (isWebhookFault(fault)) webhooks.push({ fault, ...rule });
      else requests.push({ fault, ...rule });
    },

    list() {
      return [...requests, ...webhooks].map(({ fault, seen, left }) => ({ ...fault, seen, left }));
    },

    clear(): void {
      requests.length = 0;
      webhooks.length = 0;
    },

    forRequest(facts: RequestFacts): RequestFault | undefined {
      return take(requests, ({ match }) => matchesRequest(match, facts));
    },

    forWebhook(type: string): WebhookFault | undefined {
      return take(webhooks, ({ match }) => match.type === undefined || matchesType(match.type, type));
    },
  };
}

function isWebhookFault(fault: RequestFault | WebhookFault): fault is WebhookFault {
  return fault.kind.startsWith('webhook_');
}

/** The first rule that applies; every rule that matches counts the match, so that `nth` means what it says. */
function take<F extends RequestFault | WebhookFault>(rules: Rule<F>[], matches: (fault: F) => boolean): F | undefined {
  let taken: F | undefined;
  for (const rule of rules) {
    if (!matches(rule.fault) || rule.until < Date.now()) continue;
    rule.seen += 1;
    const reached = rule.seen >= (rule.fault.match.nth ?? 1);
    if (taken !== undefined || rule.left === 0 || !reached || Math.random() >= rule.fault.probability) continue;
    rule.left -= 1;
    taken = rule.fault;
  }
  return taken;
}

function matchesRequest(match: RequestFault['match'], { method, path, idempotencyKey }: RequestFacts): boolean {
  return (
    (match.method === undefined || match.method === method) &&
    (match.path === undefined || matchesPath(match.path, path)) &&
    (match.idempotencyKey === undefined || match.idempotencyKey === idempotencyKey)
  );
}

function matchesPath(pattern: string, path: string): boolean {
  if (!pattern.includes('*')) return path.startsWith(pattern);
  const wanted = pattern.split('/');
  const given = path.split('/');
  return wanted.length === given.length && wanted.every((part, index) => part === '*' || part === given[index]);
}

function matchesType(pattern: string, type: string): boolean {
  return pattern.endsWith('*') ? type.startsWith(pattern.slice(0, -1)) : type === pattern;
}
