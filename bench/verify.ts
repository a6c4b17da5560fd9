import { moneyAtStripe, sandboxState } from '../dev/chaos/stripe-state';
import type { Sample } from './load';
import { PRICE } from './people';
import type { Stack } from './stack';

// A run counts only when everything it says it did is so: in every database, in the ledger and at Stripe.

/** Everything in the databases that does not agree with what the clients of a run were told, in sentences. */
export async function contradictionsOfRun(stack: Stack, samples: Sample[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const { outcome, planned } of samples) {
    if (outcome.outcome === 'failed') wrong.push(`a request failed: ${outcome.how}`);
    else if (planned.declined !== (outcome.outcome === 'refused')) {
      wrong.push(`a card that ${planned.declined ? 'is declined' : 'pays'} led to ${JSON.stringify(outcome)}`);
    } else if (outcome.outcome === 'refused' && outcome.code !== 'payment_declined') {
      wrong.push(`a declined card was answered ${outcome.code}`);
    }
  }
  const ids = idsOf(samples);
  const bookings = new Map(
    (
      await stack.database('booking')<{ id: string; is: string }[]>`
        select id, status || '/' || coalesce(status_reason, '') as is from bookings where id = any(${ids})`
    ).map((row) => [row.id, row.is]),
  );
  const payments = new Map(
    (
      await stack.database('payment')<{ id: string; captured: string; refunded: string; balanced: boolean }[]>`
        select p.subject_id as id, p.captured, p.refunded,
          count(distinct t.id) = (p.captured > 0)::int and coalesce(sum(e.amount), 0) = 0 as balanced
        from payments p
        left join ledger_transactions t on t.payment_id = p.id and t.kind = 'capture'
        left join ledger_entries e on e.transaction_id = t.id
        where p.subject_kind = 'booking' and p.subject_id = any(${ids}) group by p.id`
    ).map((row) => [row.id, row]),
  );
  const slots = new Map(
    (
      await stack.database('tutoring')<{ id: string; state: string; starts: Date }[]>`
        select booking_id as id, state, lower(during) as starts from slots where booking_id = any(${ids})`
    ).map((row) => [row.id, row]),
  );
  const mails = new Map(
    (
      await stack.database('notification')<{ id: string; sent: number; all: number }[]>`
        select booking_id as id, count(*) filter (where status = 'sent')::int as sent, count(*)::int as all
        from notifications where booking_id = any(${ids}) group by 1`
    ).map((row) => [row.id, row]),
  );
  for (const { bookingId: id, outcome, planned } of samples) {
    if (id === undefined) continue;
    const expect = (holds: boolean, what: string) => {
      if (!holds) wrong.push(`booking ${id}, answered ${outcome.outcome}: ${what}`);
    };
    const paid = payments.get(id);
    const slot = slots.get(id);
    const mail = mails.get(id);
    expect(paid?.balanced === true && Number(paid.refunded) === 0, 'its ledger does not balance');
    if (outcome.outcome === 'confirmed') {
      expect(bookings.get(id) === 'confirmed/', `it is ${bookings.get(id)}`);
      expect(Number(paid?.captured) === PRICE, `${paid?.captured} were captured`);
      const starts = slot?.starts.toISOString();
      expect(
        slot?.state === 'booked' && starts === planned.order.scheduledAt,
        `its slot is ${slot?.state} at ${starts}`,
      );
      expect(mail?.sent === 2 && mail.all === 2, `${mail?.sent ?? 0} of ${mail?.all ?? 0} mails were sent`);
    } else {
      expect(bookings.get(id) === 'cancelled/payment_declined', `it is ${bookings.get(id)}`);
      expect(Number(paid?.captured) === 0, `${paid?.captured} were captured`);
      expect(slot === undefined, 'it holds a slot');
      expect(mail === undefined, 'mails were sent');
    }
  }
  return wrong;
}

const idsOf = (samples: Sample[]) => samples.flatMap(({ bookingId }) => (bookingId === undefined ? [] : [bookingId]));

/**
 * Everything that does not agree between the databases and Stripe. `byBooking` are sentences about single bookings, `overall` those about
 * the ledger and the sums.
 */
export async function contradictionsAtStripe(
  stack: Stack,
): Promise<{ byBooking: Map<string, string>; overall: string[] }> {
  const state = await sandboxState({
    async sandbox(method, path) {
      const reply = await fetch(`${stack.sandboxUrl}${path}`, { method });
      return { body: await reply.json() };
    },
  });
  const sql = stack.database('payment');
  const rows = await sql<{ id: string; captured: string; refunded: string }[]>`
    select subject_id as id, captured, refunded from payments where subject_kind = 'booking'`;
  const intents = grouped(state.payment_intents, ({ metadata }) => metadata.bookingId ?? '');
  const charges = grouped(state.charges, (charge) => charge.payment_intent ?? '');
  const refunds = grouped(state.refunds, (refund) => refund.payment_intent ?? '');
  const byBooking = new Map<string, string>();
  for (const { id, captured, refunded } of rows) {
    const own = intents.get(id) ?? [];
    const its = <T>(of: Map<string, T[]>) => own.flatMap((intent) => of.get(intent.id) ?? []);
    const money = moneyAtStripe({ ...state, payment_intents: own, charges: its(charges), refunds: its(refunds) }, id);
    const agrees =
      money.captured === Number(captured) &&
      money.refunded === Number(refunded) &&
      money.reserved === 0 &&
      money.charges <= 1;
    if (!agrees) byBooking.set(id, `${captured} − ${refunded} in the database, and at Stripe ${JSON.stringify(money)}`);
  }
  const known = new Set(rows.map(({ id }) => id));
  const strangers = [...intents.keys()].filter((id) => !known.has(id));
  const [ledger] = await sql<{ balance: string; unbalanced: number }[]>`
    select coalesce(sum(amount) filter (where account = 'stripe_balance'), 0) as balance,
      (select count(*)::int from (select 1 from ledger_entries group by transaction_id having sum(amount) <> 0) u) as unbalanced
    from ledger_entries`;
  const balance = state.totals.eur?.balance ?? 0;
  const overlapping = await stack.database('tutoring')<{ n: number }[]>`
    select count(*)::int as n from slots a join slots b
      on a.tutor_id = b.tutor_id and a.during && b.during and a.booking_id < b.booking_id`;
  const overall = [
    ...(strangers.length > 0 ? [`${strangers.length} payments at Stripe are of no booking`] : []),
    ...(Number(ledger?.balance) === balance ? [] : [`the ledger has ${ledger?.balance} and Stripe ${balance}`]),
    ...(ledger?.unbalanced === 0 ? [] : [`${ledger?.unbalanced} ledger transactions do not sum to zero`]),
    ...(overlapping[0]?.n === 0 ? [] : [`${overlapping[0]?.n} slots overlap`]),
  ];
  return { byBooking, overall };
}

function grouped<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group) group.push(item);
    else groups.set(key, [item]);
  }
  return groups;
}
