import { sandboxState } from '../../dev/chaos/stripe-state';
import { moneyFacts } from './money-facts';
import { eventually, type TestPlatform } from './platform';

/** How a booking stands when nothing goes on any more. */
export interface PairEnd {
  status: string;
  reason: string | null;
  /** ISO 8601. */
  startsAt: string;
  /** The share that a cancel of the confirmed booking gave back; null: there was none. */
  refundPercent: number | null;
  captured: number;
  refunded: number;
  /** The amounts of the refunds that were made. */
  refunds: number[];
  /** What does not agree, in sentences. */
  wrong: string[];
}

interface BookingRow {
  status: string;
  reason: string | null;
  starts_at: Date;
  percent: number | null;
}

/** Waits until the booking's sagas are at rest, and holds contexts, ledger and Stripe against each other. */
export async function pairEnd(platform: TestPlatform, id: string): Promise<PairEnd> {
  const bookings = platform.database('booking');
  const read = async (): Promise<BookingRow> => {
    const [row] = await bookings<BookingRow[]>`
      select status, status_reason as reason, starts_at, refund_percent as percent from bookings where id = ${id}`;
    if (!row) throw new Error(`there is no booking ${id}`);
    return row;
  };
  const { status } = await read();
  // A booking that has ended waits for its refunds; one that lives on has nothing left to do but its undos.
  if (status === 'cancelled' || status === 'refunded')
    await platform.temporal.workflow.getHandle(`booking:${id}`).result();
  await eventually('refunds are made and shown', () => isSettled(platform, id), 60_000);
  const [booking, slots, money, refunds] = await Promise.all([
    read(),
    slotsAtRest(platform, id),
    moneyFacts(platform, id, 'bookingId'),
    platform.database('payment')<{ amount: string }[]>`
      select r.amount from refunds r join payments p on p.id = r.payment_id
      where p.booking_id = ${id} and r.status = 'succeeded'`,
  ]);
  const { captured, refunded } = money.stripe;
  const startsAt = booking.starts_at.toISOString();
  const isLive = booking.status === 'pending' || booking.status === 'confirmed';
  const wrong: string[] = [];
  const expectSame = (what: string, found: unknown, wanted: unknown) => {
    if (JSON.stringify(found) !== JSON.stringify(wanted))
      wrong.push(`${what}: ${JSON.stringify(found)} and not ${JSON.stringify(wanted)}`);
  };
  expectSame('slots', slots, isLive ? [`${startsAt} ${booking.status === 'confirmed' ? 'booked' : 'held'}`] : []);
  expectSame('payment', money.payment, `${paymentStatus(isLive, captured, refunded)} ${captured}-${refunded}`);
  const { stripe_balance: balance = 0, stripe_fees: fees = 0, payer_owed: owed = 0, ...shares } = money.ledger;
  expectSame('what is left by the ledger', balance + fees, captured - refunded);
  expectSame('owed to the payer', owed, 0);
  const { tutor_pending: pending = 0, tutor_payable: payable = 0, platform_revenue: revenue = 0 } = shares;
  expectSame('whose it is', -(pending + payable + revenue), captured - refunded);
  expectSame(
    'overdrawn',
    [pending, payable, revenue].filter((amount) => amount > 0),
    [],
  );
  expectSame('payable before its time', payable, 0);
  if (isLive || pending !== 0) expectSame('promised to the tutor', money.earningsDue, !isLive);
  expectSame('still reserved at Stripe', money.stripe.reserved > 0, booking.status === 'pending');
  expectSame('charges at Stripe', money.stripe.charges, 1);
  if (!isLive) {
    const all = captured > 0 && refunded === captured;
    expectSame('status of what came to nothing', booking.status, all ? 'refunded' : 'cancelled');
  }
  return {
    ...{ status: booking.status, reason: booking.reason, startsAt, refundPercent: booking.percent },
    ...{ captured, refunded, refunds: refunds.map(({ amount }) => Number(amount)), wrong },
  };
}

function paymentStatus(isLive: boolean, captured: number, refunded: number): string {
  if (captured === 0) return isLive ? 'authorized' : 'voided';
  if (refunded === 0) return 'captured';
  return refunded === captured ? 'refunded' : 'partially_refunded';
}

/** Whether all refunds of the booking's payment are through and seen to, and booking shows the payment as it is. */
async function isSettled(platform: TestPlatform, id: string): Promise<boolean> {
  const isShown = async () => {
    const [[payment], [shown]] = await Promise.all([
      platform.database('payment')<{ open: string; is: string }[]>`
        select status || ' ' || captured || '-' || refunded as is, (select count(*) from refunds r
          where r.payment_id = p.id and r.closed_as is distinct from r.status and r.origin <> 'settlement') as open
        from payments p where booking_id = ${id}`,
      platform.database('booking')<{ is: string }[]>`
        select status || ' ' || captured || '-' || refunded as is from payments where booking_id = ${id}`,
    ]);
    return payment?.open === '0' && payment.is === shown?.is;
  };
  // The sandbox can only say it with everything that it holds, so it is not asked before it matters.
  const allIsTold = async () => (await sandboxState(platform)).pending_webhooks === 0;
  return (await isShown()) && (await allIsTold()) && isShown();
}

/** The booking's slots, once no move of it is under way. */
function slotsAtRest(platform: TestPlatform, id: string): Promise<string[]> {
  return eventually(
    'no move is under way',
    async () => {
      const rows = await platform.database('tutoring')<{ is: string; reserved: boolean; at: Date; state: string }[]>`
        select lower(during) as at, state, reserved_by is not null as reserved from slots
        where ${id} in (booking_id, reserved_by)`;
      return !rows.some(({ reserved }) => reserved) && rows.map(({ at, state }) => `${at.toISOString()} ${state}`);
    },
    60_000,
  );
}
