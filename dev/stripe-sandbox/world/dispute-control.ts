/** Controls of what holders of cards and their banks say of charges. No key; loopback only. */
import { Router } from 'express';
import { z } from 'zod';
import { requireWholeSteps } from '../memory/amounts';
import type { Store } from '../memory/store';
import { PLATFORM } from '../memory/tables';
import { DISPUTE_REASONS, openDispute, settleDisputeNow } from '../objects/dispute-lifecycle';
import { answer, readBody } from './control-body';

const amount = z.int().min(1).max(99_999_999);

const disputeBody = z.strictObject({
  charge: z.string().min(1),
  amount: amount.optional(),
  reason: z.enum(DISPUTE_REASONS).default('fraudulent'),
  inquiry: z.boolean().default(false),
  /** Seconds since 1970, as Stripe has it. */
  due_by: z.int().min(0).optional(),
});

const verdictBody = z.discriminatedUnion('to', [
  z.strictObject({ to: z.literal('won'), reinstated: amount.optional() }),
  z.strictObject({ to: z.enum(['lost', 'escalated', 'closed']) }),
]);

/** `/disputes` under `/sandbox`. */
export function disputeControls(store: Store): Router {
  const router = Router();
  router.post('/disputes', async (req, res) => {
    const given = readBody(disputeBody, req, res);
    if (given === undefined) return;
    const { charge: id, due_by: dueBy, ...asked } = given;
    const account = store.read(PLATFORM).unit.staged.charges.get(id)?.account ?? PLATFORM;
    await answer(store, res, account, (tx) => {
      const charge = tx.charges.get(id, 'charge');
      if (asked.amount !== undefined) requireWholeSteps(asked.amount, charge.currency);
      return openDispute(tx, charge, { ...asked, dueBy });
    });
  });
  router.post('/disputes/:id', async (req, res) => {
    const verdict = readBody(verdictBody, req, res);
    if (verdict === undefined) return;
    const { id } = req.params;
    const account = store.read(PLATFORM).unit.staged.disputes.get(id)?.account ?? PLATFORM;
    await answer(store, res, account, (tx) => settleDisputeNow(tx, id, verdict));
  });
  return router;
}
