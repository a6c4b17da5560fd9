import { z } from 'zod';
import { DEBT_STATUSES } from '../../../kernel/statuses';
import { endpoint } from '../../../platform/endpoint';
import { CurrencyCode, InstantOut, Money, Uuid } from '../../../platform/schemas';
import { SettledByHand } from './settled';

// What the sagas of debts, and the Schedule that opens them, are promised.

/** A debt as its saga sees it. */
export const DebtState = z
  .object({
    debtId: Uuid,
    payeeId: Uuid,
    status: z.enum(DEBT_STATUSES),
    /** What the payee is below zero by now; nothing once it is closed. */
    left: Money,
    since: InstantOut.meta({ description: 'When the payee came below zero' }),
  })
  .meta({ id: 'DebtState' });
export type DebtState = z.output<typeof DebtState>;

/** `after`: the payee with whom the page before ended. */
const OpenDebts = z.strictObject({ after: Uuid.nullable() });
export type OpenDebts = z.output<typeof OpenDebts>;

/** What a page came to. `open`: all debts that are open now; `failed`: payees who could not be looked at. */
const DebtsOpened = z
  .object({ opened: z.int().min(0), open: z.int().min(0), failed: z.int().min(0), next: Uuid.nullable() })
  .meta({ id: 'DebtsOpened' });
export type DebtsOpened = z.output<typeof DebtsOpened>;

const SettleDebt = SettledByHand.extend({ debtId: Uuid });
export type SettleDebt = z.output<typeof SettleDebt>;

const ofPayee = {
  method: 'post',
  access: 'service',
  params: z.object({ payeeId: Uuid, currency: CurrencyCode }),
  replies: { 200: DebtState },
} as const;

/** The internal operations of debts. */
export const debtOperations = {
  openDebts: endpoint({
    method: 'post',
    path: '/internal/debts/open',
    operationId: 'openDebts',
    summary:
      'Open what an operator is to see of what a page of payees is below zero by, and see that all that is open has its saga',
    description:
      'Harmless twice: a payee has one open debt of a currency. Who cannot be looked at holds up nobody else.',
    access: 'service',
    body: OpenDebts,
    replies: { 200: DebtsOpened },
  }),
  lookAtDebt: endpoint({
    ...ofPayee,
    path: '/internal/payees/{payeeId}/debts/{currency}/look',
    operationId: 'lookAtDebt',
    summary: 'The open debt of a payee, or their latest; closed if what they have earned since has paid it',
  }),
  settleDebt: endpoint({
    ...ofPayee,
    path: '/internal/payees/{payeeId}/debts/{currency}/settle',
    operationId: 'settleDebt',
    summary: 'An operator has settled a debt by hand: what is left of it now is the platform’s',
    description:
      '`paid_elsewhere`: the payee has paid it by other means; `waived`: the platform bears it. What is paid already, by earnings or by hand, stays as it is.',
    idempotency: 'required',
    body: SettleDebt,
  }),
} as const;
