import fc from 'fast-check';
import { stepOf } from '../../../kernel/currencies';
import { uuidv7 } from '../../../platform/ids';
import { expectFolded } from '../../../tests/support/folds';
import {
  type Payee,
  type PaymentStack,
  payoutsAt,
  refundsAt,
  startPaymentStack,
  unsound,
} from '../../../tests/support/payment';
import type { Reply } from '../../../tests/support/service';
import { foldedTables } from '../folds/store';

// Any story of somebody's money: charged, given back, payable, paid out, refused by the bank, fetched back. Whatever its order, every
// account is the sum of its entries, the payee's accounts are what their wallet and the payouts' rows say, and the whole is what Stripe has. Every row is what its events say,
// before each act and in the end.

jest.setTimeout(240_000);

const SEED = 20_261_129;
const STORIES = 30;
/** One of each way in which Stripe counts amounts, with accounts at banks in test mode. */
const CURRENCIES = ['EUR', 'JPY', 'KRW', 'KWD', 'ISK', 'UGX'] as const;

type Act =
  | { act: 'charge' | 'refund' | 'open'; share: number }
  | { act: 'release' | 'transfer' | 'send' | 'paid' | 'failed' | 'giveBack' | 'reverse' | 'cancel' | 'waived' };

const story: fc.Arbitrary<{ currency: string; acts: Act[] }> = fc.record({
  currency: fc.constantFrom(...CURRENCIES),
  acts: fc.array(
    fc.oneof(
      fc.record({
        act: fc.constantFrom('charge' as const, 'charge' as const, 'refund' as const, 'open' as const),
        share: fc.integer({ min: 1, max: 100 }),
      }),
      fc.record({
        act: fc.constantFrom(
          ...(['transfer', 'transfer', 'transfer', 'send', 'send', 'paid', 'failed', 'failed'] as const),
          ...([
            'giveBack',
            'giveBack',
            'reverse',
            'reverse',
            'reverse',
            'cancel',
            'cancel',
            'waived',
            'release',
          ] as const),
        ),
      }),
    ),
    { minLength: 25, maxLength: 50 },
  ),
});

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
  await stack.control('POST', '/settings', { payoutPendingMs: 3_600_000 });
});
afterAll(() => stack.close());

const { payee, earned, steps, bankSays } = payoutsAt(() => stack);
const { submitRefund } = refundsAt(() => stack);

/** Refusals are right answers here: not every act fits where the story stands. */
async function asked(reply: Promise<Reply>): Promise<Reply> {
  const { status, body, headers } = await reply;
  if (status >= 500) throw new Error(`${status}: ${JSON.stringify(body)}`);
  return { status, body, headers };
}

async function play(who: Payee, currency: string, acts: readonly Act[]): Promise<void> {
  const { sql } = stack.service.database;
  const step = stepOf(currency);
  const payments: string[] = [];
  const latest = async () => {
    const [row] = await sql<{ id: string; po: string | null }[]>`
      select id, stripe_payout_id as po from payouts where payee_id = ${who.id} order by created_at desc, id desc limit 1`;
    return row;
  };
  const begins = uuidv7();
  for (const one of acts) {
    await expectFolded(stack.service.database.db, foldedTables, begins);
    const payout = await latest();
    const id = payout?.id ?? uuidv7();
    switch (one.act) {
      case 'charge':
        payments.push(await earned(who, one.share * 1_000 * step, currency));
        break;
      case 'refund': {
        const paymentId = payments[one.share % Math.max(1, payments.length)];
        if (!paymentId) break;
        const what = { paymentId, bookingId: '', key: '', payerId: '', payeeId: who.id };
        const { status, body } = await asked(
          stack.post(`/payments/${what.paymentId}/refunds`, uuidv7(), {
            ...{
              amount: { amount: one.share * 100 * step, currency },
              reason: 'A book was missing',
              requestedBy: null,
            },
          }),
        );
        if (status === 201) await asked(submitRefund(body.refundId));
        break;
      }
      case 'open':
        await asked(who.ask({ currency }));
        break;
      case 'release':
        await asked(stack.post('/earnings/sweep'));
        break;
      case 'transfer':
        await asked(steps.transfer(id));
        break;
      case 'send':
        await asked(steps.transfer(id));
        await asked(steps.send(id));
        break;
      case 'paid':
      case 'failed':
        if (!payout?.po) break;
        // What is over at Stripe stays so.
        await bankSays(id, one.act === 'paid' ? { to: 'paid' } : { to: 'failed', code: 'could_not_process' }).catch(
          () => undefined,
        );
        await asked(steps.refresh(id));
        break;
      case 'giveBack':
        await asked(steps.giveBack(id));
        break;
      case 'reverse':
        // As its saga does: never of what the bank has.
        if (payout && !payout.po) await asked(steps.reverse(id));
        break;
      case 'cancel':
        await asked(steps.cancel(id));
        break;
      case 'waived':
        if (payout && !payout.po) await asked(steps.byHand(id, 'waived'));
        break;
    }
  }
}

test('whatever happens in whatever order, each account is the sum of its entries, and the whole is Stripe’s balance', async () => {
  await fc.assert(
    fc.asyncProperty(story, async ({ currency, acts }) => {
      const country = 'DE';
      const who = await payee({ currency: currency.toLowerCase(), country, account_number: 'DE89370400440532013000' });
      await play(who, currency, acts);
      expect(await unsound(stack, who, currency)).toEqual([]);
      await expectFolded(stack.service.database.db, foldedTables);
    }),
    { seed: SEED, numRuns: STORIES, endOnFailure: true },
  );
  // Stories in which nothing happens would prove nothing.
  const [happened] = await stack.service.database.sql<Record<string, number>[]>`
    select count(*) filter (where arrived_at is not null and closed_as is null)::int as arrived,
      count(*) filter (where status = 'failed' and reversed_at is not null and returned_at is not null)::int as failed,
      count(*) filter (where status = 'cancelled' and reversed_at is not null)::int as fetched_back,
      count(*) filter (where status = 'cancelled' and transferred_at is null)::int as called_off,
      count(*) filter (where closed_as = 'waived')::int as waived,
      (select count(*)::int from ledger_transactions where kind = 'refund_owed') as refunds
    from payouts`;
  for (const [what, times] of Object.entries(happened ?? {})) expect([what, times > 0]).toEqual([what, true]);
});
