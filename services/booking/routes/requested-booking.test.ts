import { uuidv7 } from '../../../platform/ids';
import { bookingServiceUnderTest, key } from '../../../tests/support/booking-service';
import { inHours } from '../../../tests/support/bookings';

const { service, saga, roles, updates, started, people, given, create, unstarted } = bookingServiceUnderTest();

const calledOff = {
  status: 'cancelled',
  statusReason: 'cancelled_by_student',
  cancelledBy: 'student',
  cancelReason: 'Ill',
  price: null,
  refusal: { code: 'invalid_state' },
};

describe('a booking that is still to be made', () => {
  const requested = () => given(async () => undefined);
  const at = (id: string, path = '') => `/api/bookings/${id}${path}`;

  test('is read by its parties as what was asked for, has no history and is in no list', async () => {
    const who = await requested();
    const wanted = {
      id: who.id,
      status: 'pending',
      tutorId: who.tutor,
      durationMinutes: 60,
      price: null,
      refusal: null,
    };
    for (const token of [who.studentToken, who.tutorToken, await service.userToken({ role: 'admin' })]) {
      expect(await service.ask('GET', at(who.id), { token })).toMatchObject({ status: 200, body: wanted });
    }
    const stranger = await people();
    expect((await service.ask('GET', at(who.id), { token: stranger.studentToken })).status).toBe(404);
    const token = who.studentToken;
    expect((await service.ask('GET', at(who.id, '/timeline'), { token })).body).toEqual({ items: [] });
    expect((await service.ask('GET', '/api/bookings', { token })).body.items).toEqual([]);
  });

  test.each([
    ['not_found', null, 'There is no such tutor'],
    ['slot_unavailable', 'slot_unavailable', 'The tutor is busy'],
    ['upstream_unavailable', 'platform_unavailable', 'Nobody answered'],
  ] as const)('and is refused as %s: says so where the client was sent to', async (code, statusReason, detail) => {
    const who = await requested();
    await saga.refuseRequest(who.id, { code, detail }, key(who.id, 'create/refuse'));
    const { body } = await service.ask('GET', at(who.id), { token: who.studentToken });
    expect(body).toMatchObject({ status: 'cancelled', statusReason, price: null, refusal: { code, detail } });
    const late = await service.ask('POST', at(who.id, '/cancel'), { token: who.studentToken, body: { reason: 'Ill' } });
    expect(late.body.code).toBe('invalid_state');
    expect(updates).toEqual([]);
  });

  test('is cancelled like any other, and nothing else can be done to it', async () => {
    const who = await requested();
    const [token, tutor] = [who.studentToken, who.tutorToken];
    for (const action of ['/confirm', '/decline', '/complete']) {
      const reply = await service.ask('POST', at(who.id, action), { token: tutor, body: { reason: 'Ill' } });
      expect(reply.body.code).toBe('invalid_state');
    }
    for (const [by, body] of [
      [token, { scheduledAt: inHours(100) }],
      [tutor, { scheduledAt: inHours(100) }],
      [tutor, { meetingUrl: 'https://meet.example/1' }],
    ] as const) {
      expect((await service.ask('PATCH', at(who.id), { token: by, body })).body.code).toBe('invalid_state');
    }
    expect(updates).toEqual([]);

    // Its saga has begun, so that is whom a cancel goes to.
    await saga.beginRequest(who.id);
    roles.answerUpdate = async ({ argument }) => {
      const { noteId } = argument as { noteId: string };
      const cancel = { reason: 'cancelled_by_student', noteId, cancelledBy: 'student' } as const;
      await saga.cancelPending(who.id, cancel, key(who.id, 'create/undo'));
    };
    const options = { token, key: uuidv7(), body: { reason: 'Ill' } };
    const reply = await service.ask('POST', at(who.id, '/cancel'), options);
    expect(reply).toMatchObject({ status: 200, body: calledOff });
    expect(await service.ask('POST', at(who.id, '/cancel'), options)).toMatchObject({ status: 200, body: reply.body });
    expect(updates).toHaveLength(1);
  });

  test('and has no saga yet: a cancel settles it at once, and what comes later finds it refused', async () => {
    const who = await requested();
    const options = { token: who.studentToken, key: uuidv7(), body: { reason: 'Ill' } };
    const reply = await service.ask('POST', at(who.id, '/cancel'), options);
    expect(reply).toMatchObject({ status: 200, body: calledOff });
    expect(await service.ask('POST', at(who.id, '/cancel'), options)).toMatchObject({ status: 200, body: reply.body });
    expect(updates).toEqual([]);
    const read = await service.ask('GET', at(who.id), { token: who.studentToken });
    expect(read.body).toEqual(reply.body);
    await expect(saga.beginRequest(who.id)).rejects.toMatchObject({ code: 'undone' });
    await expect(create(who.id)).rejects.toMatchObject({ code: 'undone' });
  });

  test.each(['tutor', 'operator'] as const)('and has no saga yet: its %s can call it off as well', async (by) => {
    const who = await requested();
    const token = by === 'tutor' ? who.tutorToken : await service.userToken({ role: 'admin' });
    const body = { reason: 'Ill since this morning' };
    const reply = await service.ask('POST', at(who.id, '/cancel'), { token, body });
    expect(reply.body).toMatchObject({
      ...{ statusReason: `cancelled_by_${by}`, cancelledBy: by, cancelReason: body.reason },
    });
  });

  test('a POST that is repeated after a cancel books nothing and is told so, for good', async () => {
    const { who, id, post } = await unstarted();
    const cancel = await service.ask('POST', at(id, '/cancel'), { token: who.studentToken, body: { reason: 'Ill' } });
    expect(cancel.status).toBe(200);
    const again = await post();
    expect(again).toMatchObject({ status: 409, body: { code: 'invalid_state', bookingId: id } });
    expect((await post()).body).toEqual(again.body);
    expect(started).toEqual([]);
  });
});
