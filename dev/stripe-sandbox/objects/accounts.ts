import type Stripe from 'stripe';
import { z } from 'zod';
import { badParameter, refused } from '../memory/errors';
import { newId } from '../memory/ids';
import { PLATFORM } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';
import { type Call, del, type Endpoint, get, noParams, ok, post } from '../wire/endpoint';
import {
  changeMetadata,
  choice,
  clearableText,
  currency,
  expand,
  flag,
  metadata,
  paging,
  text,
  wholeNumber,
} from '../wire/form';
import { page } from '../wire/lists';
import { balanceOf } from './balance';
import { addBank, newBank } from './bank-accounts';
import { changeAccount, connectedAccount, NOTHING_DUE, OF_A_NEW_ACCOUNT, withBanks, withStanding } from './standing';

const payoutSettings = z.strictObject({
  debit_negative_balances: flag().optional(),
  schedule: z
    .strictObject({
      delay_days: z.union([z.literal('minimum'), wholeNumber(1, 31)]).optional(),
      interval: choice('daily', 'manual', 'monthly', 'weekly').optional(),
      monthly_anchor: wholeNumber(1, 31).optional(),
      weekly_anchor: choice('friday', 'monday', 'saturday', 'sunday', 'thursday', 'tuesday', 'wednesday').optional(),
    })
    .optional(),
  statement_descriptor: clearableText(22).optional(),
});

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
  external_account: newBank().optional(),
  metadata: metadata().optional(),
  settings: z.strictObject({ payouts: payoutSettings.optional() }).optional(),
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

/** What is requested is named among an account's capabilities; whether it works is `withStanding`'s to say. */
function requested(account: Stripe.Account, change: Edit['capabilities']): Stripe.Account['capabilities'] {
  const capabilities = { ...account.capabilities };
  for (const name of ['card_payments', 'transfers'] as const) {
    const asked = change?.[name]?.requested;
    if (asked === true) capabilities[name] ??= 'inactive';
    if (asked === false) delete capabilities[name];
  }
  return capabilities;
}

/** When an account is to be paid out by itself. The sandbox keeps what it is told, and pays nothing out by itself. */
function settingsOf(account: Stripe.Account, change: Edit['settings']): Stripe.Account.Settings {
  const before = account.settings ?? NO_SETTINGS;
  const { schedule, ...payouts } = change?.payouts ?? {};
  const { delay_days: days, ...plan } = schedule ?? {};
  const earlier = before.payouts ?? NO_SETTINGS.payouts;
  const kept = plan.interval === undefined ? earlier.schedule : { delay_days: earlier.schedule.delay_days };
  return {
    ...before,
    payouts: {
      ...earlier,
      ...payouts,
      schedule: {
        ...kept,
        interval: earlier.schedule.interval,
        ...plan,
        delay_days: days === undefined || days === 'minimum' ? kept.delay_days : days,
      },
    },
  };
}

function edited(account: Stripe.Account, edit: Edit): Stripe.Account {
  const { expand: _, business_profile: profile, capabilities, settings, external_account: __, ...rest } = edit;
  const { metadata: change, ...plain } = rest;
  return {
    ...account,
    ...plain,
    capabilities: requested(account, capabilities),
    metadata: changeMetadata(account.metadata ?? {}, change),
    business_profile: { ...NO_PROFILE, ...account.business_profile, ...profile },
    settings: settingsOf(account, settings),
  };
}

const NO_SETTINGS = {
  branding: { icon: null, logo: null, primary_color: null, secondary_color: null },
  card_payments: {
    decline_on: { avs_failure: false, cvc_failure: false },
    statement_descriptor_prefix: null,
    statement_descriptor_prefix_kana: null,
    statement_descriptor_prefix_kanji: null,
  },
  dashboard: { display_name: null, timezone: 'Etc/UTC' },
  payments: {
    statement_descriptor: null,
    statement_descriptor_kana: null,
    statement_descriptor_kanji: null,
    statement_descriptor_prefix_kana: null,
    statement_descriptor_prefix_kanji: null,
  },
  payouts: {
    debit_negative_balances: false,
    // Stripe's own default for a new account.
    schedule: { delay_days: 2, interval: 'daily' },
    statement_descriptor: null,
  },
};

/**
 * What counts as requested when nothing is: Express and Standard accounts take the platform's settings, others nothing.
 * See https://docs.stripe.com/connect/account-capabilities
 */
function capabilitiesByDefault(type: string): Stripe.Account['capabilities'] {
  return type === 'express' || type === 'standard' ? { card_payments: 'inactive', transfers: 'inactive' } : {};
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
  const isOnboarded = tx.unit.settings.onboarding === 'skipped';
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
    details_submitted: isOnboarded,
    email: null,
    external_accounts: { object: 'list', data: [], has_more: false, url: '' },
    future_requirements: NOTHING_DUE,
    metadata: {},
    payouts_enabled: false,
    requirements: isOnboarded ? NOTHING_DUE : OF_A_NEW_ACCOUNT,
    settings: null,
    tos_acceptance: { date: null, ip: null },
    type,
  };
  const made = tx.accounts.add(edited(account, edit));
  placeBank(tx, made, edit);
  return ok(tx.accounts.save(withStanding(withBanks(tx, made))));
}

/** Whoever gives a bank account with the rest means it to be the one for its currency. */
function placeBank(tx: Tx, account: Stripe.Account, { external_account: given }: Edit): void {
  if (given !== undefined) addBank(tx, account, given, { asDefault: true });
}

/**
 * Deletes an account, as Stripe does a live one: not while there is money in it.
 * @throws StripeProblem while a balance is not zero
 */
function remove({ tx, id }: Call) {
  connectedAccount(tx, id);
  const { available, pending } = balanceOf(tx.as(id));
  if ([...available, ...pending].some(({ amount }) => amount !== 0)) {
    throw refused('You cannot delete this account because its balance is not zero.');
  }
  return ok(tx.as(PLATFORM).accounts.save({ id, object: 'account', deleted: true }));
}

export const accountEndpoints: Endpoint[] = [
  post('/v1/accounts', newAccountParams, create),
  get('/v1/accounts/:id', noParams, ({ tx, id }) => ok(connectedAccount(tx, id))),
  post('/v1/accounts/:id', editableParams, ({ tx, id }, edit) => {
    const before = connectedAccount(tx, id);
    placeBank(tx, before, edit);
    return ok(changeAccount(tx, before, edited(before, edit)));
  }),
  del('/v1/accounts/:id', noParams, remove),
  get('/v1/accounts', z.strictObject(paging), ({ tx }, params) =>
    ok(page(tx.accounts, '/v1/accounts', params, { keep: (account) => !account.deleted })),
  ),
];
