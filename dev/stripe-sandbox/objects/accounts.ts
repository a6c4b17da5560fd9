import type Stripe from 'stripe';
import { z } from 'zod';
import { badParameter, noAccess } from '../memory/errors';
import { newId } from '../memory/ids';
import { PLATFORM } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { type Call, del, type Endpoint, get, noParams, ok, post } from '../wire/endpoint';
import { changeMetadata, choice, clearableText, currency, expand, flag, metadata, paging, text } from '../wire/form';
import { page } from '../wire/lists';
import { recordEvent } from './events';

const editable = {
  email: clearableText(800).optional(),
  business_type: choice('company', 'government_entity', 'individual', 'non_profit').optional(),
  business_profile: z
    .strictObject({
      mcc: clearableText(4).optional(),
      name: clearableText().optional(),
      product_description: clearableText(40000).optional(),
      support_email: clearableText().optional(),
      support_phone: clearableText().optional(),
      support_url: clearableText().optional(),
      url: clearableText().optional(),
    })
    .optional(),
  capabilities: z
    .strictObject({
      card_payments: z.strictObject({ requested: flag() }).optional(),
      transfers: z.strictObject({ requested: flag() }).optional(),
    })
    .optional(),
  default_currency: currency().optional(),
  metadata: metadata().optional(),
  expand: expand(),
};
const editableParams = z.strictObject(editable);
type Edit = z.output<typeof editableParams>;

const newAccountParams = z.strictObject({
  ...editable,
  type: choice('custom', 'express', 'standard').optional(),
  country: text(2).optional(),
  controller: z
    .strictObject({
      fees: z.strictObject({ payer: choice('account', 'application') }).optional(),
      losses: z.strictObject({ payments: choice('application', 'stripe') }).optional(),
      requirement_collection: choice('application', 'stripe').optional(),
      stripe_dashboard: z.strictObject({ type: choice('express', 'full', 'none') }).optional(),
    })
    .optional(),
});
type NewAccount = z.output<typeof newAccountParams>;

const NOTHING_DUE = {
  alternatives: [],
  current_deadline: null,
  currently_due: [],
  disabled_reason: null,
  errors: [],
  eventually_due: [],
  past_due: [],
  pending_verification: [],
};

const NO_PROFILE = {
  annual_revenue: null,
  estimated_worker_count: null,
  mcc: null,
  minority_owned_business_designation: null,
  name: null,
  product_description: null,
  specified_commercial_transactions_act_url: null,
  support_address: null,
  support_email: null,
  support_phone: null,
  support_url: null,
  url: null,
};

/**
 * A connected account by its id.
 * @throws StripeProblem 403 `account_invalid` for one that is unknown or deleted, as Stripe answers
 */
export function connectedAccount(tx: Tx, id: string): Stripe.Account {
  const account = tx.as(PLATFORM).accounts.find(id);
  if (account === undefined || account.deleted) throw noAccess(id);
  return account;
}

/** The sandbox has nobody to onboard: what is requested is active at once. */
function withCapabilities(account: Stripe.Account, requested: Edit['capabilities']): Stripe.Account {
  const capabilities = { ...account.capabilities };
  if (requested?.card_payments) capabilities.card_payments = requested.card_payments.requested ? 'active' : 'inactive';
  if (requested?.transfers) capabilities.transfers = requested.transfers.requested ? 'active' : 'inactive';
  return {
    ...account,
    capabilities,
    charges_enabled: capabilities.card_payments === 'active',
    payouts_enabled: capabilities.transfers === 'active',
    details_submitted: true,
  };
}

function edited(account: Stripe.Account, edit: Edit): Stripe.Account {
  const { expand: _, business_profile: profile, capabilities, metadata: change, ...plain } = edit;
  const next = {
    ...account,
    ...plain,
    metadata: changeMetadata(account.metadata ?? {}, change),
    business_profile: { ...NO_PROFILE, ...account.business_profile, ...profile },
  };
  return withCapabilities(next, capabilities);
}

/**
 * What is active when nothing was requested: Express and Standard accounts take the platform's settings, others nothing.
 * See https://docs.stripe.com/connect/account-capabilities
 */
function capabilitiesByDefault(type: string): Stripe.Account['capabilities'] {
  return type === 'express' || type === 'standard' ? { card_payments: 'active', transfers: 'active' } : {};
}

function create({ tx }: Call, params: NewAccount) {
  const { type: asked, country = 'US', controller, ...edit } = params;
  if (asked !== undefined && controller !== undefined) {
    throw badParameter(
      'You may only specify one of these parameters: type, controller.',
      'type',
      'parameters_exclusive',
    );
  }
  const dashboard = controller?.stripe_dashboard?.type ?? 'full';
  const type = asked ?? (controller === undefined ? 'standard' : 'none');
  const account: Stripe.Account = {
    id: newId('acct'),
    object: 'account',
    business_type: null,
    capabilities: edit.capabilities === undefined ? capabilitiesByDefault(type) : {},
    charges_enabled: false,
    controller: {
      fees: { payer: controller?.fees?.payer ?? (type === 'standard' ? 'account' : 'application') },
      is_controller: true,
      losses: { payments: controller?.losses?.payments ?? (type === 'standard' ? 'stripe' : 'application') },
      requirement_collection: controller?.requirement_collection ?? (type === 'custom' ? 'application' : 'stripe'),
      stripe_dashboard: { type: type === 'custom' ? 'none' : type === 'express' ? 'express' : dashboard },
      type: 'application',
    },
    country: country.toUpperCase(),
    created: tx.seconds,
    default_currency: country.toUpperCase() === 'US' ? 'usd' : 'eur',
    details_submitted: false,
    email: null,
    external_accounts: { object: 'list', data: [], has_more: false, url: '' },
    future_requirements: NOTHING_DUE,
    metadata: {},
    payouts_enabled: false,
    requirements: NOTHING_DUE,
    settings: null,
    tos_acceptance: { date: null, ip: null },
    type,
  };
  const url = `/v1/accounts/${account.id}/external_accounts`;
  return ok(
    tx.accounts.add(
      edited({ ...account, external_accounts: { object: 'list', data: [], has_more: false, url } }, edit),
    ),
  );
}

export const accountEndpoints: Endpoint[] = [
  post('/v1/accounts', newAccountParams, create),
  get('/v1/accounts/:id', noParams, ({ tx, id }) => ok(connectedAccount(tx, id))),
  post('/v1/accounts/:id', editableParams, ({ tx, id }, edit) => {
    const before = connectedAccount(tx, id);
    const account = tx.as(PLATFORM).accounts.save(edited(before, edit));
    // Stripe sends it to the platform's Connect endpoint, as an event of the connected account.
    recordEvent(tx.as(id), 'account.updated', account, before);
    return ok(account);
  }),
  del('/v1/accounts/:id', noParams, ({ tx, id }) => {
    connectedAccount(tx, id);
    return ok(tx.as(PLATFORM).accounts.save({ id, object: 'account', deleted: true }));
  }),
  get('/v1/accounts', z.strictObject(paging), ({ tx }, params) =>
    ok(page(tx.accounts, '/v1/accounts', params, { keep: (account) => !account.deleted })),
  ),
];
