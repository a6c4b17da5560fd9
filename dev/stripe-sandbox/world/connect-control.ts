/** Controls of what Stripe and the banks decide about connected accounts. No key; loopback only. */
import { Router } from 'express';
import { z } from 'zod';
import { isChargeable } from '../../../kernel/currencies';
import type { Store } from '../memory/store';
import { PLATFORM } from '../memory/tables';
import { completeOnboarding, demand } from '../objects/account-links';
import { FAILURE_CODES } from '../objects/bank-numbers';
import { settlePayoutNow } from '../objects/payout-lifecycle';
import { answer, readBody } from './control-body';

const onboardingBody = z.strictObject({
  banks: z
    .array(
      z.strictObject({
        currency: z
          .string()
          .refine((code) => isChargeable(code.toUpperCase()), 'is no currency such as eur')
          .toLowerCase(),
        country: z.string().length(2),
        account_number: z.string().min(1),
      }),
    )
    .default([]),
});

const requirementsBody = z.strictObject({
  due: z.array(z.string().min(1)).default([]),
  /** Overdue stops the account at once; what is only due leaves it as it is. */
  overdue: z.boolean().default(true),
  /** Seconds since 1970, as Stripe has it. */
  deadline: z.int().nullable().default(null),
  reason: z
    .enum(['listed', 'other', 'platform_paused', 'rejected.fraud', 'rejected.other', 'under_review'])
    .nullable()
    .default(null),
});

const payoutBody = z.discriminatedUnion('to', [
  z.strictObject({ to: z.enum(['in_transit', 'paid']) }),
  z.strictObject({ to: z.literal('failed'), code: z.enum(FAILURE_CODES).default('account_closed') }),
]);

/** `/accounts/…` and `/payouts/…` under `/sandbox`. */
export function connectControls(store: Store): Router {
  const router = Router();
  router.post('/accounts/:id/onboarding', async (req, res) => {
    const given = readBody(onboardingBody, req, res);
    if (given === undefined) return;
    const banks = given.banks.map((bank) => ({ ...bank, object: 'bank_account' as const }));
    await answer(store, res, PLATFORM, (tx) => completeOnboarding(tx, req.params.id, banks));
  });
  router.post('/accounts/:id/requirements', async (req, res) => {
    const given = readBody(requirementsBody, req, res);
    if (given === undefined) return;
    await answer(store, res, PLATFORM, (tx) => demand(tx, req.params.id, given));
  });
  router.post('/payouts/:id', async (req, res) => {
    const word = readBody(payoutBody, req, res);
    if (word === undefined) return;
    const { id } = req.params;
    const account = store.read(PLATFORM).unit.staged.payouts.get(id)?.account ?? PLATFORM;
    await answer(store, res, account, (tx) => settlePayoutNow(tx, id, word));
  });
  return router;
}
