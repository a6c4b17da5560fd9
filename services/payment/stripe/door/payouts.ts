import type Stripe from 'stripe';
import { fromStripe, toStripe } from '../../../../kernel/currencies';
import type { Money } from '../../../../kernel/money';
import type { BankAccount } from '../../payouts/rules';
import type { StripePayout } from '../answers';
import { type Asking, isAnyAnswer, isGone, madeSince } from './asking';

// Money for payees: from our balance to their account at Stripe (docs.stripe.com/connect/separate-charges-and-transfers), and from there
// to their bank (docs.stripe.com/connect/payouts-connected-accounts). Their accounts pay nothing out by themselves.

/** The calls that pay people out. */
export function payoutCalls(stripe: Stripe, { answerOf, reading }: Asking) {
  return {
    /**
     * Has a connected account pay nothing out by itself; those made before did (docs.stripe.com/connect/manage-payout-schedule). Set already,
     * nothing changes.
     */
    payOutByHand: async (account: string) => {
      await reading('payOutByHand', () =>
        stripe.accounts.update(account, { settings: { payouts: { schedule: { interval: 'manual' } } } }),
      );
    },

    /** Sends money to a connected account. @returns the transfer's id */
    createTransfer: (
      key: string,
      { payoutId, account, amount }: { payoutId: string; account: string; amount: Money },
    ) =>
      answerOf('createTransfer', isOfTheTransfer, async () => {
        const { id } = await stripe.transfers.create(
          {
            ...{ amount: toStripe(amount), currency: amount.currency.toLowerCase(), destination: account },
            ...{ transfer_group: payoutId, metadata: { payoutId } },
          },
          { idempotencyKey: key },
        );
        return id;
      }),

    /** The transfers that were made for a payout: by its group, which lists know at once. */
    listTransfers: (payoutId: string) =>
      reading('listTransfers', async () => {
        const found: string[] = [];
        for await (const { id } of stripe.transfers.list({ transfer_group: payoutId, limit: 100 })) found.push(id);
        return found;
      }).then((found) => found ?? []),

    /** Fetches all of a transfer back. @returns the reversal's id */
    reverseTransfer: (key: string, transferId: string) =>
      // Stripe has many reasons, some without a code: each is an operator's.
      answerOf('reverseTransfer', isAnyAnswer, async () => {
        const { id } = await stripe.transfers.createReversal(transferId, {}, { idempotencyKey: key });
        return id;
      }),

    /** The reversals of a transfer, those made in Stripe's dashboard too. */
    listReversals: (transferId: string) =>
      reading('listReversals', async () => {
        const found: string[] = [];
        for await (const { id } of stripe.transfers.listReversals(transferId, { limit: 100 })) found.push(id);
        return found;
      }).then((found) => found ?? []),

    /** Sends money of a connected account to its bank. */
    createPayout: (key: string, { payoutId, account, amount }: { payoutId: string; account: string; amount: Money }) =>
      // That there is no bank account for a currency Stripe says without a code.
      answerOf('createPayout', isAnyAnswer, async () =>
        payoutOf(
          await stripe.payouts.create(
            { amount: toStripe(amount), currency: amount.currency.toLowerCase(), metadata: { payoutId } },
            { idempotencyKey: key, stripeAccount: account },
          ),
        ),
      ),

    /** The payouts of a connected account that were made for one of ours. */
    findPayouts: ({ payoutId, account }: { payoutId: string; account: string }, since: Date) =>
      reading('findPayouts', async () => {
        const found: StripePayout[] = [];
        const list = stripe.payouts.list({ ...madeSince(since), limit: 100 }, { stripeAccount: account });
        for await (const payout of list) if (payout.metadata?.payoutId === payoutId) found.push(payoutOf(payout));
        return found;
      }).then((found) => found ?? []),

    /** A payout of a connected account as Stripe has it now; null when either is gone. */
    readPayout: (account: string, id: string) =>
      reading('readPayout', async () => payoutOf(await stripe.payouts.retrieve(id, {}, { stripeAccount: account }))),

    /** The bank accounts of a connected account. */
    listBankAccounts: (account: string) =>
      reading('listBankAccounts', async () => {
        const found: BankAccount[] = [];
        const list = stripe.accounts.listExternalAccounts(account, { object: 'bank_account', limit: 100 });
        for await (const bank of list) if (bank.object === 'bank_account') found.push(bankAccountOf(bank));
        return found;
      }).then((found) => found ?? []),

    /** What can be transferred of our balance in a currency now, in minor units. */
    readAvailable: (currency: string) =>
      reading('readAvailable', async () => {
        const { available } = await stripe.balance.retrieve();
        const found = available.find((balance) => balance.currency.toUpperCase() === currency);
        return fromStripe(found?.amount ?? 0, currency);
      }).then((amount) => amount ?? 0),
  };
}

/** What is between Stripe and the people: our funds, and their account. */
const isOfTheTransfer = (code: string) =>
  isGone(code) || code === 'balance_insufficient' || code === 'insufficient_capabilities_for_transfer';

function bankAccountOf({ id, currency, default_for_currency: isDefault, status }: Stripe.BankAccount): BankAccount {
  // Stripe pays nothing more to one whose payouts have failed (docs.stripe.com/api/external_account_bank_accounts/object).
  return { id, currency: currency.toUpperCase(), isDefault: isDefault === true, isUsable: status !== 'errored' };
}

function payoutOf(payout: Stripe.Payout): StripePayout {
  const { id, destination, failure_code: code, status } = payout;
  const failed = status === 'failed' || status === 'canceled';
  return {
    id,
    status: failed ? 'failed' : status === 'paid' ? 'completed' : 'processing',
    bankAccount: typeof destination === 'string' ? destination : (destination?.id ?? null),
    expectedAt: new Date(payout.arrival_date * 1_000),
    failureCode: failed ? (code ?? status) : null,
  };
}
