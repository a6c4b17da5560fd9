/**
 * What a payee says against a dispute. Files and enhanced evidence are not modelled.
 * See https://docs.stripe.com/api/disputes/evidence_object
 */
import type Stripe from 'stripe';
import { z } from 'zod';
import { badParameter } from '../memory/errors';
import { clearableText } from '../wire/form';

/** A dispute that nobody has answered. */
export const NO_EVIDENCE: Stripe.Dispute.Evidence = {
  access_activity_log: null,
  billing_address: null,
  cancellation_policy: null,
  cancellation_policy_disclosure: null,
  cancellation_rebuttal: null,
  customer_communication: null,
  customer_email_address: null,
  customer_name: null,
  customer_purchase_ip: null,
  customer_signature: null,
  duplicate_charge_documentation: null,
  duplicate_charge_explanation: null,
  duplicate_charge_id: null,
  enhanced_evidence: {},
  product_description: null,
  receipt: null,
  refund_policy: null,
  refund_policy_disclosure: null,
  refund_refusal_explanation: null,
  service_date: null,
  service_documentation: null,
  shipping_address: null,
  shipping_carrier: null,
  shipping_date: null,
  shipping_documentation: null,
  shipping_tracking_number: null,
  uncategorized_file: null,
  uncategorized_text: null,
};

const long = () => clearableText(20_000).optional();
const short = () => clearableText(5_000).optional();

/** The texts, each with its length at most in characters. */
export const evidenceParams = z.strictObject({
  access_activity_log: long(),
  billing_address: short(),
  cancellation_policy_disclosure: long(),
  cancellation_rebuttal: long(),
  customer_email_address: short(),
  customer_name: short(),
  customer_purchase_ip: short(),
  duplicate_charge_explanation: long(),
  duplicate_charge_id: short(),
  product_description: long(),
  refund_policy_disclosure: long(),
  refund_refusal_explanation: long(),
  service_date: short(),
  shipping_address: short(),
  shipping_carrier: short(),
  shipping_date: short(),
  shipping_tracking_number: short(),
  uncategorized_text: long(),
});
export type EvidenceChange = z.output<typeof evidenceParams>;

/** "The combined character count of all fields is limited to 150,000": https://docs.stripe.com/api/disputes/update */
const MOST_CHARACTERS = 150_000;

/**
 * Evidence after a change: what is given replaces, what is emptied goes.
 * @throws StripeProblem (400) if all of it together is too long
 */
export function changeEvidence(before: Stripe.Dispute.Evidence, change: EvidenceChange): Stripe.Dispute.Evidence {
  const evidence = { ...before, ...change };
  const characters = textsOf(evidence).reduce((sum, text) => sum + text.length, 0);
  if (characters <= MOST_CHARACTERS) return evidence;
  throw badParameter(`The evidence has ${characters} characters in all; ${MOST_CHARACTERS} are allowed.`, 'evidence');
}

/** Whether anything is said at all. */
export function hasEvidence(evidence: Stripe.Dispute.Evidence): boolean {
  return textsOf(evidence).length > 0;
}

function textsOf(evidence: Stripe.Dispute.Evidence): string[] {
  return Object.values(evidence).filter((value) => typeof value === 'string');
}
