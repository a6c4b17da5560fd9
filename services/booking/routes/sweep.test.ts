import { ProblemError } from '../../../kernel/errors';
import { bookingServiceUnderTest, key, type Unstarted, withoutRequestId } from '../../../tests/support/booking-service';
import { payment } from '../../../tests/support/bookings';
import type { Reply } from '../../../tests/support/service';
import { bookingSaga } from '../../../workflows/booking.api';

const { service, saga, sagas, roles, started, create, pay, unstarted } = bookingServiceUnderTest();

const EXPIRED = { status: 409, body: { code: 'request_expired' } };

/** As if so many minutes had gone by since the request was stored, and since its client was last there. */
async function goneFor({ id }: Unstarted, minutes: number, seenBefore = minutes): Promise<void> {
  const { sql } = service.database;
  await sql`update booking_requests set created_at = created_at - make_interval(mins => ${minutes}) where id = ${id}`;
  await sql`update idempotency_keys set created_at = created_at - make_interval(mins => ${minutes}),
    leased_until = leased_until - make_interval(mins => ${seenBefore}) where resource_id = ${id}`;
}

async function abandoned(count: number): Promise<Unstarted[]> {
  const requests: Unstarted[] = [];
  while (requests.length < count) {
    const request = await unstarted();
    await goneFor(request, 11);
    requests.push(request);
  }
  return requests;
}

async function sweep(): Promise<{ found: number; started: number; refused: number }> {
  const { status, body } = await service.internal('POST', '/internal/bookings/sweep');
  expect(status).toBe(200);
  return body;
}

// Rows of other tests must not be found.
beforeEach(async () => {
  await service.database.sql`update booking_requests set settled_at = now() where settled_at is null`;
});

describe('a sweep', () => {
  test('refuses for good what never began once its client has been gone for ten minutes', async () => {
    const request = await unstarted();
    await goneFor(request, 9);
    expect(await sweep()).toEqual({ found: 0, started: 0, refused: 0 });
    await goneFor(request, 2);
    expect(await sweep()).toEqual({ found: 1, started: 0, refused: 1 });
    expect(await sweep()).toEqual({ found: 0, started: 0, refused: 0 });
    expect(started).toEqual([]);

    const token = request.who.studentToken;
    const shown = await service.ask('GET', `/api/bookings/${request.id}`, { token });
    expect(shown.body).toMatchObject({ status: 'cancelled', cancelledBy: null, refusal: { code: 'request_expired' } });
    const reply = await request.post();
    expect(reply).toMatchObject({ ...EXPIRED, body: { bookingId: request.id } });
    expect((await request.post()).body).toEqual(reply.body);
    expect(started).toEqual([]);
  });

  test('leaves alone what its client has come back for, however old it is', async () => {
    const request = await unstarted();
    await goneFor(request, 60, 5);
    expect(await sweep()).toEqual({ found: 0, started: 0, refused: 0 });
    expect((await request.post()).status).toBe(201);
  });

  test('leaves alone what was answered 202: Temporal has its saga, which begins when there is a worker', async () => {
    const request = await unstarted();
    await goneFor(request, 60);
    await service.database.sql`update idempotency_keys set reply_status = 202 where resource_id = ${request.id}`;
    expect(await sweep()).toEqual({ found: 0, started: 0, refused: 0 });
    await service.database.sql`delete from idempotency_keys where resource_id = ${request.id}`;
    expect(await sweep()).toEqual({ found: 1, started: 0, refused: 1 });
  });

  test('leaves alone what has a saga, though nothing has come of it for long', async () => {
    const request = await unstarted();
    await goneFor(request, 60);
    await saga.beginRequest(request.id);
    expect(await sweep()).toEqual({ found: 0, started: 0, refused: 0 });
    await create(request.id);
  });

  test('looks at those of which the code of before forgot when they were last asked for', async () => {
    const request = await unstarted();
    await goneFor(request, 11);
    await service.database.sql`update idempotency_keys set leased_until = null where resource_id = ${request.id}`;
    expect(await sweep()).toEqual({ found: 1, started: 0, refused: 1 });
  });

  test('and another at the same moment refuse each request once', async () => {
    const requests = await abandoned(5);
    const swept = await Promise.all(Array.from({ length: 4 }, sweep));
    expect(swept.reduce((sum, { refused }) => sum + refused, 0)).toBe(requests.length);
  });

  test('takes what it finds in portions', async () => {
    const { who } = await unstarted();
    await service.database.sql`
      insert into booking_requests (id, student_id, tutor_id, subject, scheduled_at, duration_minutes, created_at)
      select gen_random_uuid(), ${who.student}, ${who.tutor}, 'Maths', now() + interval '3 days', 60, now() - interval '1 day'
      from generate_series(1, 130)`;
    expect(await sweep()).toEqual({ found: 100, started: 0, refused: 100 });
    expect(await sweep()).toEqual({ found: 30, started: 0, refused: 30 });
  });
});

// A saga start that was thought lost, the client's retry, the sweep and a cancel may come in any order, and at once.
describe('whatever comes to one request in whatever order', () => {
  const ACTIONS = ['retry', 'start', 'sweep', 'cancel'] as const;
  type Action = (typeof ACTIONS)[number];

  const orders = (rest: readonly Action[]): Action[][] =>
    rest.length === 0
      ? [[]]
      : rest.flatMap((first) => orders(rest.filter((other) => other !== first)).map((tail) => [first, ...tail]));

  let charges: string[];
  let ended: Map<string, Promise<void>>;
  let settledAfter: Map<string, () => Promise<void>>;

  beforeEach(() => {
    charges = [];
    ended = new Map();
    settledAfter = new Map();
    roles.script = (id) => {
      const run = play(id);
      ended.set(id, run);
      return run;
    };
    // A cancel reaches a saga that runs, and a booking that it has confirmed is given back.
    roles.answerUpdate = async ({ workflowId }) => {
      const id = workflowId.replace(/^booking:/, '');
      await ended.get(id);
      const giveBack = settledAfter.get(id);
      if (!giveBack) throw new ProblemError('invalid_state', 'The saga of this resource has ended');
      await giveBack();
    };
  });

  /** What the saga does, in its order and under its keys. */
  async function play(id: string): Promise<void> {
    try {
      await saga.beginRequest(id);
      await create(id);
      charges.push(id);
      await pay(id, payment());
      await saga.confirmPending(id, key(id, 'confirm'));
      settledAfter.set(id, async () => {
        const cancel = { by: 'student', noteId: null, requestedAt: new Date().toISOString() } as const;
        await saga.cancelConfirmed(id, cancel, key(id, 'cancel'));
      });
    } catch {
      const undo = { reason: 'slot_unavailable', noteId: null, cancelledBy: null } as const;
      await saga.cancelPending(id, undo, key(id, 'create/undo'));
    }
  }

  async function run(action: Action, { who, id, post }: Unstarted): Promise<Reply | undefined> {
    switch (action) {
      case 'retry':
        return post();
      case 'start':
        await startLate(id);
        return undefined;
      case 'sweep':
        await sweep();
        return undefined;
      case 'cancel':
        return service.ask('POST', `/api/bookings/${id}/cancel`, { token: who.studentToken, body: { reason: 'Ill' } });
    }
  }

  async function startLate(id: string): Promise<void> {
    const asked = {
      bookingId: id,
      studentId: '',
      tutorId: '',
      scheduledAt: '',
      durationMinutes: 60,
      paymentMethodId: '',
    };
    await sagas.start(bookingSaga, asked);
    await ended.get(id);
  }

  async function expectOneEnd({ who, id, post }: Unstarted, cancelled: Reply | undefined): Promise<void> {
    await ended.get(id);
    const answer = await post();
    expect(withoutRequestId(await post())).toEqual(withoutRequestId(answer));
    await Promise.all(ended.values());
    const { sql } = service.database;
    const rows = await sql`select id, status from bookings where student_id = ${who.student}`;
    const [request] = await sql`select refusal from booking_requests where id = ${id}`;
    expect(rows.length).toBeLessThanOrEqual(1);
    expect(charges.filter((charged) => charged === id)).toHaveLength(rows.length);
    expect(started.filter((other) => other.id === id).length).toBeLessThanOrEqual(1);
    expect(request?.refusal === null).toBe(rows.length === 1);
    if (cancelled?.status === 200 && rows.length === 1) expect(rows[0]?.status).toBe('cancelled');
    if (rows.length === 0) expect(answer.status).toBe(409);
    expect(await sql`select from idempotency_keys where resource_id = ${id} and reply_status is not null`).toHaveLength(
      1,
    );
  }

  test.each(orders(ACTIONS).map((order) => [order.join(', '), order] as const))(
    '%s: at most one booking and charge, and one answer',
    async (_, order) => {
      const request = await unstarted();
      await goneFor(request, 11);
      let cancelled: Reply | undefined;
      for (const action of order) {
        const reply = await run(action, request);
        if (action === 'cancel') cancelled = reply;
      }
      await expectOneEnd(request, cancelled);
    },
  );

  test('all at once, many times over', async () => {
    const all = orders(ACTIONS);
    const requests = await abandoned(all.length);
    await Promise.all(
      requests.map(async (request, index) => {
        const order = all[index] ?? [];
        const replies = await Promise.all(order.map((action) => run(action, request)));
        await expectOneEnd(request, replies[order.indexOf('cancel')]);
      }),
    );
  });
});
