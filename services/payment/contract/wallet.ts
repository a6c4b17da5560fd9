import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { Currency, CurrencyCode, InstantOut, PageQuery, pageOf, QueryInstant, Uuid } from '../../../platform/schemas';

// What people are promised of what they have earned.

/** What somebody has of one currency, in minor units. */
export const WalletBalance = z
  .strictObject({
    currency: CurrencyCode,
    pending: z.int().meta({ description: 'Earned; the session lies ahead, or the money rests after it' }),
    payable: z.int().min(0).meta({ description: 'Can be paid out' }),
    frozen: z.int().min(0).meta({
      description: 'Your share of what banks have taken for disputes that are not decided: yours again if they are won',
    }),
    inPayout: z.int().min(0).meta({ description: 'Set aside for payouts, and not at the bank' }),
    paidOut: z.int().min(0).meta({ description: 'At the bank: of all payouts so far' }),
    minimum: z.int().min(1).meta({ description: 'What has to be payable before it can be paid out' }),
    debt: z
      .int()
      .min(0)
      .meta({ description: 'Given back after it had been paid out: netted from what is earned next' }),
    nextPayableAt: InstantOut.nullable().meta({
      description: 'When the next of what is pending becomes payable at the earliest; null while nothing has a day',
    }),
  })
  .meta({ id: 'WalletBalance' });
export type WalletBalance = z.output<typeof WalletBalance>;

const Wallet = z
  .strictObject({
    balances: z.array(WalletBalance),
    payoutsEnabled: z.boolean().nullable().meta({
      description:
        'Whether Stripe pays you out, as it last said; null: it was not asked. `/api/payouts/account` asks it',
    }),
    nextPayoutAt: InstantOut.meta({ description: 'When what reaches its minimum is paid out by itself next' }),
  })
  .meta({ id: 'Wallet' });

/** One movement of somebody's earnings. */
export const WalletEntry = z
  .strictObject({
    id: Uuid,
    at: InstantOut,
    kind: z
      .enum([
        'earned',
        'refunded',
        'returned',
        'paid_out',
        'payout_returned',
        'disputed',
        'dispute_returned',
        'corrected',
      ])
      .meta({
        description:
          '`returned`: a refund that came back from the bank; `paid_out`: set aside for a payout; `payout_returned`: one that came to nothing; `disputed`: taken for a dispute, frozen until it is decided; `dispute_returned`: it came back; `corrected`: posted by hand or by a later version',
      }),
    currency: CurrencyCode,
    amount: z.int().meta({ description: 'In minor units. Below zero: it was taken from you' }),
    balanceAfter: z.int().meta({ description: 'Pending and payable together, after it, in minor units' }),
    paymentId: Uuid.nullable(),
    bookingId: Uuid.nullable(),
    payoutId: Uuid.nullable(),
    disputeId: Uuid.nullable(),
  })
  .meta({ id: 'WalletEntry' });
export type WalletEntry = z.output<typeof WalletEntry>;

const EntriesQuery = PageQuery.extend({
  currency: Currency.optional(),
  from: QueryInstant.optional(),
  to: QueryInstant.optional(),
});
export type EntriesQuery = z.output<typeof EntriesQuery>;

/** As `EntriesQuery`, without pages. */
const CsvQuery = EntriesQuery.omit({ cursor: true, limit: true });

/** The public operations of earnings. */
export const walletOperations = {
  getWallet: endpoint({
    method: 'get',
    path: '/api/wallet',
    operationId: 'getWallet',
    summary: 'What you have earned, by currency',
    access: 'user',
    replies: { 200: Wallet },
  }),
  listWalletEntries: endpoint({
    method: 'get',
    path: '/api/wallet/entries',
    operationId: 'listWalletEntries',
    summary: 'What moved your earnings, the newest first',
    description: '`from` is included, `to` is not. That something becomes payable moves nothing.',
    access: 'user',
    query: EntriesQuery,
    replies: { 200: pageOf(WalletEntry) },
  }),
  getWalletEntriesCsv: endpoint({
    method: 'get',
    path: '/api/wallet/entries.csv',
    operationId: 'getWalletEntriesCsv',
    summary: 'What moved your earnings, the oldest first, as a table (RFC 4180)',
    description:
      'UTF-8, with the names of its columns on top. Amounts are in whole units of their currency, with all its decimals. At most 10,000 movements: choose a shorter time for fewer.',
    access: 'user',
    query: CsvQuery,
    media: 'text/csv',
    replies: { 200: z.string() },
  }),
} as const;
