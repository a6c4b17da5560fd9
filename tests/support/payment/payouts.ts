import { undoKeyOf } from '../../../kernel/step-key';
import { uuidv7 } from '../../../platform/ids';
import type { Reply } from '../service';
import { chargeBooking, newBooking } from './bookings';
import { EUR, type PaymentStack } from './stack';

/** A payee with an account at Stripe, and what they see and ask. */
export interface Payee {
  id: string;
  token: string;
  account: string;
  see(path: string): Promise<Reply>;
  ask(body?: object, key?: string): Promise<Reply>;
}

/** Numbers of Stripe's test mode by what becomes of a payout to them. */
export const BANKS = { takes: 'DE89370400440532013000', returns: 'DE89370400440532013099' } as const;

/** How payees earn, are paid out, and what is left of that everywhere. */
export function payoutsAt(stackOf: () => PaymentStack) {
  const post: PaymentStack['post'] = (...asked) => stackOf().post(...asked);

  /** `bank` null: they have told Stripe nothing yet. */
  async function payee(
    bank: { currency: string; country: string; account_number: string } | null = {
      ...{ currency: 'eur', country: 'DE', account_number: BANKS.takes },
    },
  ): Promise<Payee> {
    const { service, control, state } = stackOf();
    const id = uuidv7();
    await control('POST', '/settings', { onboarding: 'required' });
    await post('/accounts', `user:${id}/account`, {
      ...{ userId: id, role: 'tutor', email: `${id}@example.org`, name: 'Ada' },
    });
    const { accounts } = await state();
    const { id: account } = accounts.find((made: { metadata?: { userId?: string } }) => made.metadata?.userId === id);
    if (bank) await onboard(account, bank);
    const token = await service.userToken({ id, role: 'tutor' });
    return {
      ...{ id, token, account },
      see: (path) => service.ask('GET', path, { token }),
      ask: (body = {}, key = uuidv7()) => service.ask('POST', '/api/payouts/initiate', { token, key, body }),
    };
  }

  async function onboard(
    account: string,
    bank = { currency: 'eur', country: 'DE', account_number: BANKS.takes as string },
  ): Promise<void> {
    await stackOf().control('POST', `/accounts/${account}/onboarding`, { banks: [bank] });
  }

  /** Has a payee earn what is payable at once, 85 % of `amount`. @returns the payment */
  async function earned({ id: payeeId }: Pick<Payee, 'id'>, amount = 4_000, currency = 'EUR'): Promise<string> {
    const booking = { ...newBooking(), payeeId };
    const { body } = await chargeBooking(stackOf(), booking, { amount, currency });
    const over = { notBefore: '2026-01-01T00:00:00.000Z' };
    const released = await post(
      `/payments/${body.paymentId}/earnings/release`,
      `booking:${booking.bookingId}/release`,
      over,
    );
    expect(released.status).toBe(200);
    return body.paymentId;
  }

  const keyOf = (id: string, step: string) => `payout:${id}/${step}`;
  const step = (id: string, name: string, stepName = name, by: Pick<PaymentStack, 'post'> = { post }) =>
    by.post(`/payouts/${id}/${name}`, keyOf(id, stepName));
  const steps = {
    start: (id: string) => step(id, 'start', 'open'),
    check: (id: string) => post(`/payouts/${id}/check`),
    transfer: (id: string, by?: Pick<PaymentStack, 'post'>) => step(id, 'transfer', 'transfer', by),
    send: (id: string, by?: Pick<PaymentStack, 'post'>) => step(id, 'send', 'bank', by),
    refresh: (id: string) => post(`/payouts/${id}/refresh`),
    giveBack: (id: string, by?: Pick<PaymentStack, 'post'>) => step(id, 'return', 'return', by),
    reverse: (id: string, by: Pick<PaymentStack, 'post'> = { post }) =>
      by.post(`/payouts/${id}/reverse`, undoKeyOf(keyOf(id, 'transfer'))),
    cancel: (id: string, reason: string | null = null) =>
      post(`/payouts/${id}/cancel`, undoKeyOf(keyOf(id, 'open')), { reason }),
    byHand: (id: string, as: 'paid_elsewhere' | 'waived') =>
      post(`/payouts/${id}/settle-by-hand`, keyOf(id, 'by-hand'), { as }),
  };

  /** A payout that is opened. @returns its id */
  async function opened(who: Payee, body?: object): Promise<string> {
    const reply = await who.ask(body);
    expect(reply).toMatchObject({ status: 201, body: { status: 'pending' } });
    return reply.body.id;
  }

  /** A payout whose money is on its way to the bank. */
  async function sent(who: Payee): Promise<string> {
    const id = await opened(who);
    await steps.transfer(id);
    expect((await steps.send(id)).body).toMatchObject({ status: 'processing', sent: true });
    return id;
  }

  /** What the bank says of a payout now. */
  async function bankSays(id: string, word: { to: 'paid' | 'failed'; code?: string }): Promise<void> {
    const [row] = await stackOf().service.database.sql`select stripe_payout_id as id from payouts where id = ${id}`;
    await stackOf().control('POST', `/payouts/${row?.id}`, word);
  }

  /** What a payee has, and what is at their account at Stripe. */
  async function has({ id, account }: Pick<Payee, 'id' | 'account'>, payoutId?: string) {
    const ledger = await stackOf().ledger();
    const { connected_totals: totals, transfers, transfer_reversals: reversals } = await stackOf().state();
    const of = (name: string) => 0 - (ledger[name] ?? 0);
    const mine = transfers.filter((made: { destination: string }) => made.destination === account);
    const ids = new Set(mine.map((made: { id: string }) => made.id));
    return {
      payable: of(`tutor_payable:${id}`),
      inTransit: payoutId === undefined ? undefined : of(`payout_in_transit:${payoutId}`),
      transfers: mine.length,
      reversals: reversals.filter((made: { transfer: string }) => ids.has(made.transfer)).length,
      atStripe: totals[account]?.eur?.balance ?? 0,
      paidOut: totals[account]?.eur?.paidOut ?? 0,
    };
  }

  return { payee, onboard, earned, steps, opened, sent, bankSays, has, EUR };
}
