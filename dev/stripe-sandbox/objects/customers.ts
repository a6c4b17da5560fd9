import type Stripe from 'stripe';
import { z } from 'zod';
import { newId, randomText } from '../memory/ids';
import type { Tx } from '../memory/unit-of-work';
import { del, type Endpoint, get, noParams, ok, post } from '../wire/endpoint';
import {
  address,
  changeMetadata,
  clearableText,
  expand,
  fullAddress,
  fullShipping,
  metadata,
  paging,
  shipping,
  text,
} from '../wire/form';
import { page } from '../wire/lists';
import { recordEvent } from './events';
import { attach, detachAll, existingCustomer, usePaymentMethod } from './payment-methods';

const editable = {
  address: z.union([z.literal('').transform(() => null), address()]).optional(),
  description: clearableText().optional(),
  email: clearableText(512).optional(),
  invoice_settings: z.strictObject({ default_payment_method: clearableText().optional() }).optional(),
  metadata: metadata().optional(),
  name: clearableText(256).optional(),
  phone: clearableText(20).optional(),
  preferred_locales: z.array(text()).optional(),
  shipping: z.union([z.literal('').transform(() => null), shipping()]).optional(),
  expand: expand(),
};
const editableParams = z.strictObject(editable);
type Edit = z.output<typeof editableParams>;

function edited(tx: Tx, customer: Stripe.Customer, edit: Edit): Stripe.Customer {
  const { expand: _, address: home, invoice_settings: invoices, shipping: parcel, metadata: change, ...plain } = edit;
  const fallback = invoices?.default_payment_method;
  if (typeof fallback === 'string') tx.paymentMethods.get(fallback, 'invoice_settings[default_payment_method]');
  return {
    ...customer,
    ...plain,
    ...(home === undefined ? {} : { address: home && fullAddress(home) }),
    ...(parcel === undefined ? {} : { shipping: parcel && fullShipping(parcel) }),
    ...(fallback === undefined
      ? {}
      : { invoice_settings: { ...customer.invoice_settings, default_payment_method: fallback } }),
    metadata: changeMetadata(customer.metadata, change),
  };
}

function blankCustomer(tx: Tx): Stripe.Customer {
  return {
    id: newId('cus'),
    object: 'customer',
    address: null,
    balance: 0,
    created: tx.seconds,
    currency: null,
    customer_account: null,
    default_source: null,
    delinquent: false,
    description: null,
    discount: null,
    email: null,
    invoice_prefix: randomText(8).toUpperCase(),
    invoice_settings: { custom_fields: null, default_payment_method: null, footer: null, rendering_options: null },
    livemode: false,
    metadata: {},
    name: null,
    next_invoice_sequence: 1,
    phone: null,
    preferred_locales: [],
    shipping: null,
    tax_exempt: 'none',
    test_clock: null,
  };
}

export const customerEndpoints: Endpoint[] = [
  post(
    '/v1/customers',
    z.strictObject({ ...editable, payment_method: text().optional() }),
    ({ tx }, { payment_method: token, ...edit }) => {
      const customer = edited(tx, blankCustomer(tx), edit);
      tx.customers.add(customer, customer.email === null ? [] : [`email:${customer.email}`]);
      if (token !== undefined) attach(tx, usePaymentMethod(tx, token, 'payment_method'), customer.id);
      recordEvent(tx, 'customer.created', customer);
      return ok(customer);
    },
  ),
  get('/v1/customers/:id', noParams, ({ tx, id }) => ok(tx.customers.get(id))),
  post('/v1/customers/:id', editableParams, ({ tx, id }, edit) => {
    const before = existingCustomer(tx, id);
    const customer = edited(tx, before, edit);
    tx.customers.save(customer);
    if (edit.email) tx.customers.link(id, `email:${edit.email}`);
    recordEvent(tx, 'customer.updated', customer, before);
    return ok(customer);
  }),
  del('/v1/customers/:id', noParams, ({ tx, id }) => {
    const customer = existingCustomer(tx, id);
    detachAll(tx, id);
    recordEvent(tx, 'customer.deleted', customer);
    return ok(tx.customers.save({ id, object: 'customer', deleted: true }));
  }),
  get('/v1/customers', z.strictObject({ ...paging, email: text(512).optional() }), ({ tx }, params) =>
    ok(
      page(tx.customers, '/v1/customers', params, {
        link: params.email && `email:${params.email}`,
        keep: (customer) => !customer.deleted && (params.email === undefined || customer.email === params.email),
      }),
    ),
  ),
];
