import { createHash } from 'node:crypto';
import stringify from 'safe-stable-stringify';
import { uuidv7 } from '../../../platform/ids';
import { bookingServiceUnderTest, key } from '../../../tests/support/booking-service';
import { eur, payment, person } from '../../../tests/support/bookings';

// A worker may die between a step and its record in the history. The step is repeated then, and what it gathers from other services may
// have changed meanwhile.

const { service, saga, given, confirmedAtOnce } = bookingServiceUnderTest();

const gathered = {
  student: person('sam'),
  tutor: person('ada'),
  subject: 'Maths',
  price: eur(4500),
  instantBooking: true,
};
const requested = () => given(async () => undefined);

test('a booking that is made again after names and price have changed is the one that was made', async () => {
  const { id } = await requested();
  const first = await saga.createPending(id, gathered, key(id, 'create'));
  const changed = {
    ...gathered,
    tutor: { ...person('ada'), name: 'Ada King' },
    price: eur(1),
    instantBooking: false,
  };
  expect(await saga.createPending(id, changed, key(id, 'create'))).toEqual(first);
  const [snapshot] = await service.database.sql`select * from booking_snapshots where booking_id = ${id}`;
  expect(snapshot).toMatchObject({ tutor_name: gathered.tutor.name, price: '4500' });
});

test('a key still stands for one booking', async () => {
  const [{ id }, other] = [await requested(), await requested()];
  await saga.createPending(id, gathered, key(id, 'create'));
  const reused = saga.createPending(other.id, gathered, key(id, 'create'));
  await expect(reused).rejects.toMatchObject({ code: 'idempotency_key_reused' });
});

test('a refusal that comes out otherwise when it is repeated leaves the first one', async () => {
  const { id, studentToken: token } = await requested();
  const refuse = (code: 'slot_unavailable' | 'not_found') =>
    saga.refuseRequest(id, { code, detail: code }, key(id, 'create/refuse'));
  await refuse('slot_unavailable');
  await refuse('not_found');
  const { body } = await service.ask('GET', `/api/bookings/${id}`, { token });
  expect(body.refusal).toMatchObject({ code: 'slot_unavailable' });
});

test('a refund that is recorded again with what payment says by then is recorded once', async () => {
  const { id } = await given(confirmedAtOnce);
  const [row] = await service.database.sql`select id from payments where booking_id = ${id}`;
  const state = (refunded: number) =>
    payment({ id: String(row?.id), version: 9, status: 'partially_refunded', refunded: eur(refunded) });
  const record = (refunded: number) => saga.recordRefund(id, { payment: state(refunded) }, `refund:${id}/record/9`);
  await record(1000);
  await record(1000);
  await expect(record(2000)).resolves.toBeUndefined();
  expect(await service.database.sql`select amount::int from refunds where booking_id = ${id}`).toEqual([
    { amount: 1000 },
  ]);
});

describe('a key that the code of before stored, whose fingerprint covers the body', () => {
  /** The row as it was written: by a hash of operation, path parameters and body. */
  async function storedBefore(id: string, body: object): Promise<object> {
    const fingerprint = createHash('sha256')
      .update(`post /internal/bookings/{id}/create ${stringify({ id })}\n${stringify(body)}`)
      .digest('hex');
    const reply = {
      bookingId: id,
      price: eur(4500),
      startsAt: '2030-01-01T10:00:00.000Z',
      endsAt: '2030-01-01T11:00:00.000Z',
      instantBooking: true,
    };
    await service.database.sql`
      insert into idempotency_keys (owner, key, fingerprint, resource_id, reply_status, reply_body)
      values ('service', ${key(id, 'create')}, ${fingerprint}, ${uuidv7()}, 200, ${JSON.stringify(reply)})`;
    return reply;
  }

  test('answers the same request as before', async () => {
    const { id } = await requested();
    const reply = await storedBefore(id, gathered);
    expect(await saga.createPending(id, gathered, key(id, 'create'))).toEqual(reply);
    expect(await service.database.sql`select from bookings where id = ${id}`).toEqual([]);
  });

  test('refuses another as before', async () => {
    const { id } = await requested();
    await storedBefore(id, gathered);
    const changed = saga.createPending(id, { ...gathered, price: eur(9900) }, key(id, 'create'));
    await expect(changed).rejects.toMatchObject({ code: 'idempotency_key_reused' });
  });
});
