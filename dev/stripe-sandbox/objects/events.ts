import type Stripe from 'stripe';
import { z } from 'zod';
import { newId } from '../memory/ids';
import type { SandboxEvent, WebhookEndpoint } from '../memory/tables';
import { endpointFor, PLATFORM } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { type Endpoint, get, noParams, ok } from '../wire/endpoint';
import { flag, paging, text } from '../wire/form';
import { page } from '../wire/lists';

/** The version of the API whose shapes the sandbox speaks: that of the SDK it is built against. */
export const API_VERSION = '2026-10-28.endive';

/**
 * Records that something happened and owes the webhook endpoint its delivery, in the same transaction as the change: that of
 * the platform, or that of its connected accounts.
 * `before` is the object as it was: Stripe sends what differs as `previous_attributes` with `*.updated` events.
 * See https://docs.stripe.com/api/events/object
 */
export function recordEvent(tx: Tx, type: Stripe.Event['type'], object: object, before?: object): void {
  const { unit } = tx;
  const endpoint = endpointFor(unit.webhookEndpoints, tx.account);
  const wanted = endpoint !== undefined && wants(endpoint, type);
  const event: SandboxEvent = {
    id: newId('evt'),
    object: 'event',
    ...(tx.account === PLATFORM ? {} : { account: tx.account }),
    api_version: API_VERSION,
    created: tx.seconds,
    data: { object, ...(before === undefined ? {} : { previous_attributes: differences(before, object) }) },
    livemode: false,
    pending_webhooks: wanted ? 1 : 0,
    request: unit.origin,
    type,
  };
  tx.events.add(event, [`type:${type}`]);
  if (wanted) {
    unit.schedule('webhook', unit.now, tx.account, { kind: 'deliver', event: event.id, attempt: 0, faulted: false });
  }
}

function wants({ enabledEvents }: WebhookEndpoint, type: string): boolean {
  return enabledEvents.includes('*') || enabledEvents.includes(type);
}

/** What `before` had where `after` differs; null for what it did not have. */
function differences(before: object, after: object): object {
  const old = new Map<string, unknown>(Object.entries(before));
  const changed = Object.entries(after).filter(
    ([name, value]) => JSON.stringify(value) !== JSON.stringify(old.get(name)),
  );
  return Object.fromEntries(changed.map(([name]) => [name, old.get(name) ?? null]));
}

export const eventEndpoints: Endpoint[] = [
  get('/v1/events/:id', noParams, ({ tx, id }) => ok(tx.events.get(id))),
  get(
    '/v1/events',
    z.strictObject({
      ...paging,
      type: text().optional(),
      types: z.array(text()).max(20).optional(),
      delivery_success: flag().optional(),
    }),
    ({ tx }, params) =>
      ok(
        page(tx.events, '/v1/events', params, {
          ...(params.type === undefined ? {} : { link: `type:${params.type}` }),
          keep: (event) =>
            (params.types === undefined || params.types.includes(event.type)) &&
            (params.delivery_success === undefined || (event.pending_webhooks === 0) === params.delivery_success),
        }),
      ),
  ),
];
