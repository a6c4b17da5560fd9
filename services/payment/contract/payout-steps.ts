import { z } from 'zod';
import { PAYOUT_REASONS } from '../../../kernel/statuses';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, InstantOut, Money, Uuid } from '../../../platform/schemas';
import { PayoutStatus } from './payouts';
import { SettledByHand } from './settled';

// What the sagas of payouts, and the Schedule that opens them, are promised.

/** A payout as its saga sees it. A reader that holds a higher `version` ignores this one. */
export const PayoutState = z
  .object({
    payoutId: Uuid,
    payeeId: Uuid,
    version: z.int().min(1),
    status: PayoutStatus,
    reason: z.enum(PAYOUT_REASONS).nullable(),
    amount: Money,
    /** Its money is, or was, at the payee's account at Stripe. */
    transferred: z.boolean(),
    /** Stripe has taken the order to send it to the bank. */
    sent: z.boolean(),
    arrivedAt: InstantOut.nullable(),
    expectedAt: InstantOut.nullable(),
    /** Nothing more is to be done: its amount is payable again, or an operator has settled it. */
    closed: z.boolean(),
  })
  .meta({ id: 'PayoutState' });
export type PayoutState = z.output<typeof PayoutState>;

/** What a payout is made of, for the mail of it: what each payment brought, and what else made up the amount. */
export const PayoutDetails = z
  .object({
    payout: PayoutState,
    /** What it waits for or came to, as a sentence for its payee. */
    text: z.string(),
    failureText: z.string().nullable(),
    lines: z.array(z.object({ paymentId: Uuid, bookingId: Uuid.nullable(), amount: z.int() })),
    /** Minor units that no line stands for: of before, or of lines left out. */
    others: z.int(),
  })
  .meta({ id: 'PayoutDetails' });
export type PayoutDetails = z.output<typeof PayoutDetails>;

const CancelPayout = z.strictObject({
  reason: z.enum(PAYOUT_REASONS).nullable().meta({ description: 'null: as the payout says already' }),
});

/** `week`: of ISO 8601. `after`: the payee with whom the page before ended. */
const OpenWeek = z.strictObject({ week: z.string().regex(/^\d{4}-W\d{2}$/), after: Uuid.nullable() });
export type OpenWeek = z.output<typeof OpenWeek>;

/** What a page came to. `next`: the payee with whom it ended; null after the last. */
const WeekOpened = z
  .object({
    opened: z.int().min(0),
    skipped: z.int().min(0),
    failed: z.array(z.object({ payeeId: Uuid, code: z.string() })).meta({
      description:
        'For whom it could not be done, whatever it was: to be asked for again, since who was done is skipped then',
    }),
    next: Uuid.nullable(),
  })
  .meta({ id: 'WeekOpened' });
export type WeekOpened = z.output<typeof WeekOpened>;

/** `asked`: of so many Stripe was asked; `returned`: whose bank has sent them back, and whose sagas were woken. */
const PayoutsSwept = z.object({ asked: z.int().min(0), returned: z.int().min(0) }).meta({ id: 'PayoutsSwept' });
export type PayoutsSwept = z.output<typeof PayoutsSwept>;

const step = { access: 'service', params: IdParams, replies: { 200: PayoutState } } as const;
const path = <Name extends string>(name: Name) => `/internal/payouts/{id}/${name}` as const;

/** The internal operations of payouts. */
export const payoutStepOperations = {
  freezePayouts: endpoint({
    method: 'post',
    path: '/internal/payees/{userId}/freeze',
    operationId: 'freezePayouts',
    summary: 'No payout of this payee begins while this suspension lasts; what has begun goes on',
    access: 'service',
    idempotency: 'required',
    params: z.strictObject({ userId: Uuid }),
    body: z.strictObject({ suspensionId: Uuid }),
    replies: { 204: null },
  }),
  thawPayouts: endpoint({
    method: 'post',
    path: '/internal/payees/{userId}/thaw',
    operationId: 'thawPayouts',
    summary: 'This suspension is over: payouts begin again',
    access: 'service',
    idempotency: 'required',
    params: z.strictObject({ userId: Uuid }),
    body: z.strictObject({ suspensionId: Uuid }),
    replies: { 204: null },
  }),
  openWeeklyPayouts: endpoint({
    method: 'post',
    path: '/internal/payouts/week',
    operationId: 'openWeeklyPayouts',
    summary: "Open the week's payouts of a page of payees, and start their sagas; whose are open already is skipped",
    description: 'Harmless twice: a payee has one payout of a currency and week, and one under way at a time.',
    access: 'service',
    reaches: ['stripe'],
    body: OpenWeek,
    replies: { 200: WeekOpened },
  }),
  sweepPayouts: endpoint({
    method: 'post',
    path: '/internal/payouts/sweep',
    operationId: 'sweepPayouts',
    summary: 'Ask Stripe about payouts that no saga watches any more, and wake the sagas of those that came back',
    access: 'service',
    reaches: ['stripe'],
    replies: { 200: PayoutsSwept },
  }),
  getPayoutDetails: endpoint({
    method: 'get',
    path: '/internal/payouts/{id}',
    operationId: 'getPayoutDetails',
    summary: 'A payout as it is recorded here, with what it is made of',
    access: 'service',
    params: IdParams,
    replies: { 200: PayoutDetails },
  }),
  startPayout: endpoint({
    ...step,
    method: 'post',
    path: path('start'),
    operationId: 'startPayout',
    summary: 'Note that a payout has a saga',
    idempotency: 'required',
  }),
  cancelPayout: endpoint({
    ...step,
    method: 'post',
    path: path('cancel'),
    operationId: 'cancelPayout',
    summary: 'Undo of startPayout: its amount is payable again',
    description: 'One whose money is at the payee’s account stays: the undo of transferPayout comes first.',
    idempotency: 'undo',
    body: CancelPayout,
    errors: ['invalid_state'],
  }),
  checkPayout: endpoint({
    ...step,
    method: 'post',
    path: path('check'),
    operationId: 'checkPayout',
    summary: 'Ask Stripe whether the payee can be paid and the platform has the money; `reason` says what is missing',
    reaches: ['stripe'],
  }),
  transferPayout: endpoint({
    ...step,
    method: 'post',
    path: path('transfer'),
    operationId: 'transferPayout',
    summary: "Transfer a payout's money to its payee's account at Stripe; a refusal is its `reason`",
    reaches: ['stripe'],
    idempotency: 'required',
    errors: ['undone'],
  }),
  reverseTransfer: endpoint({
    ...step,
    method: 'post',
    path: path('reverse'),
    operationId: 'reverseTransfer',
    summary: 'Undo of transferPayout: fetch the money back, whatever Stripe says is true',
    reaches: ['stripe'],
    idempotency: 'undo',
    errors: ['transfer_not_reversed'],
  }),
  sendPayout: endpoint({
    ...step,
    method: 'post',
    path: path('send'),
    operationId: 'sendPayout',
    summary: "Have a payout's money sent to the bank; a refusal is its `reason`",
    reaches: ['stripe'],
    idempotency: 'required',
    errors: ['undone'],
  }),
  refreshPayout: endpoint({
    ...step,
    method: 'post',
    path: path('refresh'),
    operationId: 'refreshPayout',
    summary: 'Ask Stripe what became of a payout and record it',
    reaches: ['stripe'],
  }),
  returnPayout: endpoint({
    ...step,
    method: 'post',
    path: path('return'),
    operationId: 'returnPayout',
    summary: 'Fetch back the money of a payout that its bank refused or sent back, and make it payable again',
    reaches: ['stripe'],
    idempotency: 'required',
    errors: ['transfer_not_reversed', 'invalid_state'],
  }),
  settlePayoutByHand: endpoint({
    ...step,
    method: 'post',
    path: path('settle-by-hand'),
    operationId: 'settlePayoutByHand',
    summary: 'An operator has settled a payout by hand',
    description:
      '`paid_elsewhere`: its payee has the money, and it counts as completed; `waived`: it is payable again, and the platform bears what Stripe does not give back.',
    reaches: ['stripe'],
    idempotency: 'required',
    body: SettledByHand,
  }),
} as const;
