import { ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import { bookingServiceUnderTest, key } from '../../../tests/support/booking-service';
import { inHours } from '../../../tests/support/bookings';
import type { Ask } from '../../../tests/support/service';

const { service, saga, roles, updates, confirmedAtOnce, given } = bookingServiceUnderTest();

describe('changing a booking', () => {
  const change = (who: { id: string }, token: string, body: object, options: Ask = {}) =>
    service.ask('PATCH', `/api/bookings/${who.id}`, { token, body, ...options });

  test.each(['student', 'tutor'] as const)('the %s moves it', async (by) => {
    const who = await given(confirmedAtOnce);
    const scheduledAt = inHours(100);
    roles.answerUpdate = () => saga.moveConfirmed(who.id, { scheduledAt, by }, key(who.id, 'reschedule-1/booking'));
    const token = by === 'student' ? who.studentToken : who.tutorToken;
    expect(await change(who, token, { scheduledAt })).toMatchObject({ status: 200, body: { scheduledAt } });
    const actorId = by === 'student' ? who.student : who.tutor;
    expect(updates).toMatchObject([{ name: 'reschedule', argument: { by, actorId, scheduledAt } }]);
  });

  test('to the time it has is done already', async () => {
    const who = await given(confirmedAtOnce);
    const { body } = await service.ask('GET', `/api/bookings/${who.id}`, { token: who.tutorToken });
    expect((await change(who, who.tutorToken, { scheduledAt: body.scheduledAt })).status).toBe(200);
    expect(updates).toHaveLength(0);
  });

  test('a student less than 24 hours ahead does not, a tutor does', async () => {
    const who = await given(confirmedAtOnce, { scheduledAt: inHours(12) });
    expect((await change(who, who.studentToken, { scheduledAt: inHours(100) })).body.code).toBe('invalid_state');
    expect((await change(who, who.tutorToken, { scheduledAt: inHours(100) })).status).toBe(200);
  });

  test('a slot that is taken: 409, and the link of the same request is not set', async () => {
    const who = await given(confirmedAtOnce);
    roles.answerUpdate = async () => {
      throw new ProblemError('slot_unavailable');
    };
    const body = { scheduledAt: inHours(100), meetingUrl: 'https://meet.example/1' };
    expect((await change(who, who.tutorToken, body)).body.code).toBe('slot_unavailable');
    const read = await service.ask('GET', `/api/bookings/${who.id}`, { token: who.tutorToken });
    expect(read.body.meetingUrl).toBeNull();
  });

  test('a move that takes too long is 200 once it happened, and sets the link with it', async () => {
    const who = await given(confirmedAtOnce);
    const scheduledAt = inHours(100);
    roles.answerUpdate = async () => {
      await saga.moveConfirmed(who.id, { scheduledAt }, key(who.id, 'reschedule-1/booking'));
      throw new ProblemError('upstream_unavailable', 'Late', { retryAfterSeconds: 2 });
    };
    const reply = await change(who, who.tutorToken, { scheduledAt, meetingUrl: 'https://meet.example/1' });
    expect(reply).toMatchObject({ status: 200, body: { scheduledAt, meetingUrl: 'https://meet.example/1' } });
  });

  test('the tutor sets and clears the meeting link without any saga; the student does not', async () => {
    const who = await given(confirmedAtOnce);
    const meetingUrl = 'https://meet.example/room?x=1';
    const options = { key: uuidv7() };
    const reply = await change(who, who.tutorToken, { meetingUrl }, options);
    expect(reply).toMatchObject({ status: 200, body: { meetingUrl } });
    const again = await change(who, who.tutorToken, { meetingUrl }, options);
    expect(JSON.stringify(again.body)).toBe(JSON.stringify(reply.body));
    expect((await change(who, who.studentToken, { meetingUrl })).body.code).toBe('forbidden');
    expect((await change(who, who.tutorToken, { meetingUrl: null })).body.meetingUrl).toBeNull();
    expect(updates).toHaveLength(0);
  });

  test.each([
    [{}, ''],
    [{ meetingUrl: 'http://meet.example/1' }, 'meetingUrl'],
    [{ meetingUrl: 'https://user:pass@meet.example/1' }, 'meetingUrl'],
    [{ meetingUrl: 'javascript:alert(1)' }, 'meetingUrl'],
    [{ meetingUrl: 'https://meet.example/"><script>' }, 'meetingUrl'],
    [{ meetingUrl: 'https://meet.example/a\nb' }, 'meetingUrl'],
    [{ meetingUrl: 'meet' }, 'meetingUrl'],
    [{ meetingUrl: 'https:meet.example' }, 'meetingUrl'],
    [{ meetingUrl: 'https:///meet.example' }, 'meetingUrl'],
    [{ scheduledAt: '2030-01-01T10:07:00Z' }, 'scheduledAt'],
    [{ status: 'confirmed' }, 'status'],
  ])('%j is not valid', async (body, path) => {
    const who = await given(confirmedAtOnce);
    expect(await change(who, who.tutorToken, body)).toMatchObject({
      status: 422,
      body: { errors: expect.arrayContaining([expect.objectContaining({ path })]) },
    });
  });
});
