/** Disputes as the payee sees them: answered with evidence, or accepted. See https://docs.stripe.com/api/disputes */
import type Stripe from 'stripe';
import { z } from 'zod';
import { refused } from '../memory/errors';
import { type Call, type Endpoint, get, noParams, ok, post } from '../wire/endpoint';
import { changeMetadata, expand, flag, metadata, paging, text } from '../wire/form';
import { page } from '../wire/lists';
import { changeEvidence, evidenceParams, hasEvidence } from './dispute-evidence';
import { changeDispute, isInquiry, loseDispute, scheduleDecision } from './dispute-lifecycle';

const CLOSED = ['won', 'lost', 'warning_closed'];

function requireOpen({ status }: Stripe.Dispute): void {
  if (CLOSED.includes(status)) throw refused('This dispute is already closed');
}

const awaitsResponse = ({ status }: Stripe.Dispute) => status.endsWith('needs_response');

const updateParams = z.strictObject({
  evidence: evidenceParams.optional(),
  metadata: metadata().optional(),
  submit: flag().optional(),
  expand: expand(),
});
type UpdateParams = z.output<typeof updateParams>;

/**
 * Stages evidence, and submits all that is staged unless told not to: "Staged evidence … can be submitted to the bank by making
 * another request with this attribute set to true (the default)". Stripe takes it once.
 * See https://docs.stripe.com/api/disputes/update
 * @throws StripeProblem once the dispute is closed, and for evidence once some was submitted
 */
function update({ tx, id }: Call, { evidence: change, metadata: labels, submit = true }: UpdateParams) {
  const before = tx.disputes.get(id);
  requireOpen(before);
  if (change !== undefined && !awaitsResponse(before)) {
    throw refused(`The evidence of dispute ${id} has already been submitted: it can be submitted once.`);
  }
  const evidence = changeEvidence(before.evidence, change ?? {});
  const staged = {
    metadata: changeMetadata(before.metadata, labels),
    evidence,
    evidence_details: { ...before.evidence_details, has_evidence: hasEvidence(evidence) },
  };
  const submits = submit && awaitsResponse(before) && hasEvidence(evidence);
  if (!submits) return ok(changeDispute(tx, before, staged, 'charge.dispute.updated'));
  const { due_by: dueBy, submission_count: earlier } = before.evidence_details;
  const news = {
    ...staged,
    status: isInquiry(before) ? 'warning_under_review' : 'under_review',
    evidence_details: {
      ...staged.evidence_details,
      past_due: tx.seconds > (dueBy ?? Number.POSITIVE_INFINITY),
      submission_count: earlier + 1,
      submission_method: 'manual',
    },
  };
  scheduleDecision(tx, id);
  return ok(changeDispute(tx, before, news, 'charge.dispute.updated'));
}

/**
 * Accepts a dispute: "The status of the dispute will change from needs_response to lost. Closing a dispute is irreversible."
 * See https://docs.stripe.com/api/disputes/close
 * @throws StripeProblem from any other status
 */
function accept({ tx, id }: Call) {
  const before = tx.disputes.get(id);
  requireOpen(before);
  if (before.status !== 'needs_response') {
    throw refused(
      `Dispute ${id} cannot be closed because it is ${before.status}: only one that needs a response can be.`,
    );
  }
  return ok(loseDispute(tx, before));
}

export const disputeEndpoints: Endpoint[] = [
  get('/v1/disputes/:id', noParams, ({ tx, id }) => ok(tx.disputes.get(id))),
  post('/v1/disputes/:id', updateParams, update),
  post('/v1/disputes/:id/close', noParams, accept),
  get(
    '/v1/disputes',
    z.strictObject({ ...paging, charge: text().optional(), payment_intent: text().optional() }),
    ({ tx }, params) => {
      const { charge, payment_intent: intent } = params;
      return ok(
        page(tx.disputes, '/v1/disputes', params, {
          link: (charge && `charge:${charge}`) ?? (intent && `payment_intent:${intent}`),
          keep: (dispute) => intent === undefined || dispute.payment_intent === intent,
        }),
      );
    },
  ),
];
