import { HOUR } from '../../../kernel/time';
import { uuidv7 } from '../../../platform/ids';
import { bookingServiceUnderTest, key } from '../../../tests/support/booking-service';
import { eur, inHours, payment } from '../../../tests/support/bookings';
import { bookingContract as contract } from '../contract';

const { service, saga, roles, started, updates, confirmedAtOnce, asksTutor, people, book, given } =
  bookingServiceUnderTest();

describe('reading', () => {
  test('a list is of the person’s own bookings, as student or as tutor', async () => {
    const who = await given(confirmedAtOnce);
    await given(confirmedAtOnce);
    const list = async (token: string, query = '') =>
      (await service.ask('GET', `/api/bookings${query}`, { token })).body.items.map(({ id }: { id: string }) => id);
    expect(await list(who.studentToken)).toEqual([who.id]);
    expect(await list(who.studentToken, '?role=student&status=confirmed')).toEqual([who.id]);
    expect(await list(who.studentToken, '?role=tutor')).toEqual([]);
    expect(await list(who.tutorToken)).toEqual([who.id]);
    expect(await list(who.tutorToken, '?status=cancelled')).toEqual([]);
    const admin = await service.userToken({ role: 'admin' });
    expect((await list(admin, '?limit=100')).length).toBeGreaterThan(1);
    expect(await list(admin, '?role=student')).toEqual([]);
  });

  test('pages follow each other by the cursor', async () => {
    const who = await people();
    for (const hours of [30, 40, 50]) {
      expect((await book(who, { change: { scheduledAt: inHours(hours) } })).status).toBe(201);
    }
    const page = async (query: string) =>
      (await service.ask('GET', `/api/bookings?limit=2${query}`, { token: who.studentToken })).body;
    const first = await page('');
    const second = await page(`&cursor=${first.nextCursor}`);
    const times = [...first.items, ...second.items].map(({ scheduledAt }) => scheduledAt);
    expect(times).toEqual([inHours(50), inHours(40), inHours(30)]);
    expect(second.nextCursor).toBeNull();
  });

  test.each([
    'role=admin',
    'status=open',
    'from=today',
    'limit=101',
    'limit=0',
    'cursor=x',
    'sort=price',
    'page=2',
    'status=pending&status=confirmed',
  ])('a list by ?%s is not valid', async (query) => {
    const token = await service.userToken({ role: 'student' });
    expect((await service.ask('GET', `/api/bookings?${query}`, { token })).status).toBe(422);
  });

  test('the timeline tells both parties what happened, in order and without names', async () => {
    const who = await given(confirmedAtOnce);
    const cancel = { by: 'tutor', noteId: null, requestedAt: new Date().toISOString() } as const;
    await saga.cancelConfirmed(who.id, cancel, key(who.id, 'cancel'));
    const { payment: paid } = await saga.readForNotices(who.id);
    if (!paid) throw new Error('it was paid');
    const refunded = payment({ id: paid.id, version: 2, status: 'refunded', refunded: eur(4500) });
    await saga.recordRefund(who.id, { payment: refunded }, key(who.id, 'refunded'));
    for (const token of [who.studentToken, who.tutorToken, await service.userToken({ role: 'admin' })]) {
      const { body } = await service.ask('GET', `/api/bookings/${who.id}/timeline`, { token });
      expect(body.items.map(({ type, actor }: { type: string; actor: string }) => [type, actor])).toEqual([
        ['BookingRequested', 'student'],
        ['PaymentProcessed', 'system'],
        ['BookingConfirmed', 'system'],
        ['BookingCancelled', 'tutor'],
        ['PaymentProcessed', 'system'],
        ['RefundIssued', 'system'],
        ['BookingRefunded', 'system'],
      ]);
      const text = JSON.stringify(body);
      for (const secret of ['example.org', 'ada', 'sam']) expect(text).not.toContain(`"${secret}`);
      expect(contract.bookingTimeline.replies[200].parse(body)).toEqual(body);
    }
    const read = await service.ask('GET', `/api/bookings/${who.id}`, { token: who.studentToken });
    expect(read.body.status).toBe('refunded');
  });

  test('what is not one’s own does not exist, and a wrong role is told so', async () => {
    const who = await given(asksTutor);
    const before = await saga.readForNotices(who.id);
    const other = await people();
    const scheduledAt = inHours(100);
    const operations: [string, string, object | undefined][] = [
      ['GET', '', undefined],
      ['GET', '/timeline', undefined],
      ['PATCH', '', { scheduledAt }],
      ['PATCH', '', { meetingUrl: 'https://meet.example/1' }],
      ['POST', '/confirm', undefined],
      ['POST', '/decline', { reason: 'Ill' }],
      ['POST', '/cancel', { reason: 'Ill' }],
      ['POST', '/complete', undefined],
    ];
    const tutorsOnly = ['/confirm', '/decline', '/complete'];
    for (const [method, path, body] of operations) {
      for (const id of [who.id, uuidv7(), 'nonsense', '1']) {
        const ask = (token: string) =>
          service.ask(method, `/api/bookings/${id}${path}`, { token, ...(body && { body }) });
        expect((await ask(other.tutorToken)).body.code).toBe('not_found');
        const student = tutorsOnly.includes(path) ? 'forbidden' : 'not_found';
        expect((await ask(other.studentToken)).body.code).toBe(student);
      }
    }
    for (const path of tutorsOnly) {
      const reply = await service.ask('POST', `/api/bookings/${who.id}${path}`, {
        token: who.studentToken,
        body: { reason: 'Ill' },
      });
      expect(reply.body.code).toBe('forbidden');
    }
    // A tutor who was promoted from student: the role allows it, the side does not.
    const token = await service.userToken({ id: who.student, role: 'tutor' });
    expect((await service.ask('POST', `/api/bookings/${who.id}/confirm`, { token })).body.code).toBe('forbidden');
    expect(updates).toHaveLength(0);
    expect(await saga.readForNotices(who.id)).toEqual(before);
  });
});

test('an offset in a query may be written with a bare plus', async () => {
  const who = await given(asksTutor);
  const { scheduledAt } = (await service.ask('GET', `/api/bookings/${who.id}`, { token: who.studentToken })).body;
  const inBerlin = (ms: number) => new Date(ms + HOUR).toISOString().replace('Z', '+01:00');
  const from = Date.parse(scheduledAt);
  for (const write of [inBerlin, (ms: number) => encodeURIComponent(inBerlin(ms))]) {
    const query = `from=${write(from)}&to=${write(from + HOUR)}`;
    const { status, body } = await service.ask('GET', `/api/bookings?${query}`, { token: who.studentToken });
    expect({ status, ids: body.items.map(({ id }: { id: string }) => id) }).toEqual({ status: 200, ids: [who.id] });
  }
});

test.each(['0x10', '1e1', '0b11', ' 5', '5 ', '+5', '1_0', '١'])('the limit %j is no number', async (limit) => {
  const token = await service.userToken({ role: 'student' });
  const reply = await service.ask('GET', `/api/bookings?limit=${encodeURIComponent(limit)}`, { token });
  expect(reply).toMatchObject({ status: 422, body: { errors: [{ path: 'query.limit' }] } });
});

test('an id in capitals is the same booking, in the path and in the saga’s name', async () => {
  roles.script = asksTutor;
  const who = await people();
  const { body } = await book(who, { change: { tutorId: who.tutor.toUpperCase() } });
  expect(started[0]?.input).toMatchObject({ tutorId: who.tutor });
  const path = `/api/bookings/${body.id.toUpperCase()}`;
  roles.answerUpdate = () => saga.confirmPending(body.id, key(body.id, 'confirm'));
  expect((await service.ask('POST', `${path}/confirm`, { token: who.tutorToken })).body.status).toBe('confirmed');
  expect(updates).toMatchObject([{ workflowId: `booking:${body.id}` }]);
  const timeline = await service.ask('GET', `${path}/timeline`, { token: who.tutorToken });
  expect(timeline.body.items).not.toHaveLength(0);
});

test('every reply is what the contract and its document say', async () => {
  const { body } = await service.ask('GET', '/openapi.json');
  expect(Object.keys(body.paths).every((path) => path.startsWith('/api/'))).toBe(true);
  expect(Object.keys(body.components.schemas)).toEqual(
    expect.arrayContaining(['Booking', 'BookingPage', 'NewBooking']),
  );
  const reply = await book(await people());
  expect(contract.bookSession.replies[201].parse(reply.body)).toEqual(reply.body);
});

test('a student is shown by the name of today, and a stranger to the bus by that of the booking', async () => {
  const who = await given(confirmedAtOnce);
  const seen = async () => (await service.ask('GET', `/api/bookings/${who.id}`, { token: who.tutorToken })).body;
  const booked = (await seen()).studentName;
  await service.database.sql`
    insert into people (user_id, version, display_name) values (${who.student}, 1, 'Ada King')`;
  expect((await seen()).studentName).toBe('Ada King');
  const list = await service.ask('GET', '/api/bookings?role=tutor', { token: who.tutorToken });
  expect(list.body.items.map(({ studentName }: { studentName: string }) => studentName)).toEqual(['Ada King']);
  await service.database.sql`delete from people where user_id = ${who.student}`;
  expect((await seen()).studentName).toBe(booked);
});
