import { ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import { bookingServiceUnderTest, key, withoutRequestId } from '../../../tests/support/booking-service';
import { inHours } from '../../../tests/support/bookings';
import type { Ask } from '../../../tests/support/service';

const { service, saga, roles, updates, create, confirmedAtOnce, asksTutor, given } = bookingServiceUnderTest();

/** What administrators did to a booking. */
async function actsOf(id: string) {
  const token = await service.userToken({ role: 'admin' });
  return (await service.ask('GET', `/api/booking-acts?subjectId=${id}`, { token })).body.items;
}

describe('what people do to a booking', () => {
  const act = (who: { id: string }, action: string, token: string, options: Ask = {}) =>
    service.ask('POST', `/api/bookings/${who.id}/${action}`, { token, ...options });
  const lateReply = () => {
    throw new ProblemError('upstream_unavailable', 'Still being worked on', { retryAfterSeconds: 2 });
  };

  test('the tutor confirms: 200 with the confirmed booking, and one update of its saga', async () => {
    const who = await given(asksTutor);
    roles.answerUpdate = () => saga.confirmPending(who.id, key(who.id, 'confirm'));
    const options = { key: uuidv7() };
    const reply = await act(who, 'confirm', who.tutorToken, options);
    expect(reply).toMatchObject({ status: 200, body: { id: who.id, status: 'confirmed' } });
    const again = await act(who, 'confirm', who.tutorToken, options);
    expect(JSON.stringify(again.body)).toBe(JSON.stringify(reply.body));
    expect(updates).toMatchObject([
      { workflowId: `booking:${who.id}`, name: 'confirm', argument: { actorId: who.tutor } },
    ]);
    expect((await act(who, 'confirm', who.tutorToken)).body.code).toBe('invalid_state');
  });

  test('the payment cannot be taken: 409, kept under the key', async () => {
    const who = await given(asksTutor);
    roles.answerUpdate = async () => {
      throw new ProblemError('payment_failed');
    };
    const options = { key: uuidv7() };
    const reply = await act(who, 'confirm', who.tutorToken, options);
    expect(reply).toMatchObject({ status: 409, body: { code: 'payment_failed' } });
    const again = await act(who, 'confirm', who.tutorToken, options);
    expect(withoutRequestId(again)).toEqual(withoutRequestId(reply));
    expect(updates).toHaveLength(1);
  });

  test('the tutor declines with a reason, which the saga never sees and the student does', async () => {
    const who = await given(asksTutor);
    roles.answerUpdate = async ({ argument }) => {
      const { noteId } = argument as { noteId: string };
      await saga.cancelPending(
        who.id,
        { reason: 'declined', noteId, cancelledBy: 'tutor' },
        key(who.id, 'create/undo'),
      );
    };
    const reply = await act(who, 'decline', who.tutorToken, { body: { reason: '  Fully booked  ' } });
    expect(reply).toMatchObject({ status: 200, body: { status: 'cancelled', statusReason: 'declined' } });
    expect(JSON.stringify(updates)).not.toContain('Fully');
    const seen = await service.ask('GET', `/api/bookings/${who.id}`, { token: who.studentToken });
    expect(seen.body).toMatchObject({ cancelReason: 'Fully booked', cancelledBy: 'tutor' });
  });

  test.each([
    ['student', 'cancelled_by_student'],
    ['tutor', 'cancelled_by_tutor'],
    ['operator', 'cancelled_by_operator'],
  ] as const)('a cancel by the %s carries who, when it arrived and the note’s id', async (by, statusReason) => {
    const who = await given(confirmedAtOnce, { scheduledAt: inHours(12) });
    const tokens = {
      student: who.studentToken,
      tutor: who.tutorToken,
      operator: await service.userToken({ role: 'admin' }),
    };
    const before = Date.now();
    roles.answerUpdate = async ({ argument }) => {
      const { requestedAt, noteId } = argument as { requestedAt: string; noteId: string | null };
      expect(Date.parse(requestedAt)).toBeGreaterThanOrEqual(before);
      await saga.cancelConfirmed(who.id, { by, noteId, requestedAt }, key(who.id, 'cancel'));
    };
    const body = { reason: 'Ill since this morning' };
    const reply = await act(who, 'cancel', tokens[by], { body });
    expect(reply).toMatchObject({
      ...{ status: 200, body: { status: 'cancelled', statusReason, cancelReason: body.reason } },
    });
    expect(updates).toMatchObject([{ name: 'cancel', argument: { by } }]);
    expect((await act(who, 'cancel', tokens[by], { body })).body.code).toBe('invalid_state');
    const acts = await actsOf(who.id);
    if (by !== 'operator') expect(acts).toEqual([]);
    else
      expect(acts).toMatchObject([
        { act: 'booking_command', ...body, before: { status: 'confirmed' }, after: { command: 'cancel' } },
      ]);
  });

  test.each([
    ['cancel', {}],
    ['cancel', { reason: '  ' }],
    ['cancel', undefined],
    ['decline', {}],
    ['decline', { reason: 7 }],
    ['decline', undefined],
  ])('a %s with %j has no reason to tell the other party, and is refused', async (action, body) => {
    const who = await given(asksTutor);
    const reply = await act(who, action, who.tutorToken, { ...(body && { body }) });
    expect(reply).toMatchObject({ status: 422, body: { code: 'validation_failed' } });
    if (body) expect(reply.body.errors).toMatchObject([{ path: 'reason' }]);
    expect(updates).toEqual([]);
  });

  test('a cancel that takes too long is 200 once the booking is cancelled', async () => {
    const who = await given(confirmedAtOnce);
    roles.answerUpdate = async () => {
      const cancel = { by: 'student', noteId: null, requestedAt: new Date().toISOString() } as const;
      await saga.cancelConfirmed(who.id, cancel, key(who.id, 'cancel'));
      lateReply();
    };
    const reply = await act(who, 'cancel', who.studentToken, { body: { reason: 'Ill' } });
    expect(reply).toMatchObject({ status: 200, body: { status: 'cancelled' } });
  });

  test('an update that takes too long frees the key; the retry is the same update with the first arrival', async () => {
    const who = await given(confirmedAtOnce);
    roles.answerUpdate = async () => lateReply();
    const options = { key: uuidv7(), body: { reason: 'Ill' } };
    const reply = await act(who, 'cancel', who.studentToken, options);
    expect(reply).toMatchObject({ status: 503, body: { code: 'upstream_unavailable' } });
    expect(reply.headers['retry-after']).toBe('2');

    const arrived = (index: number) => {
      const { requestedAt } = (updates[index]?.argument ?? {}) as { requestedAt?: string };
      return Date.parse(requestedAt ?? '');
    };
    roles.answerUpdate = async ({ argument }) => {
      const { noteId, requestedAt } = argument as { noteId: string; requestedAt: string };
      await saga.cancelConfirmed(who.id, { by: 'student', noteId, requestedAt }, key(who.id, 'cancel'));
    };
    await service.database
      .sql`update idempotency_keys set created_at = now() - interval '5 minutes' where key = ${options.key}`;
    expect(await act(who, 'cancel', who.studentToken, options)).toMatchObject({
      status: 200,
      body: { cancelReason: 'Ill' },
    });
    expect(updates).toHaveLength(2);
    expect(updates[1]?.updateId).toBe(updates[0]?.updateId);
    expect(arrived(1)).toBeLessThan(arrived(0) - 4 * 60_000);
  });

  test('a retry whose first attempt did happen is answered by it, not by today’s state', async () => {
    const who = await given(asksTutor);
    const options = { key: uuidv7() };
    roles.answerUpdate = async () => lateReply();
    expect((await act(who, 'confirm', who.tutorToken, options)).status).toBe(503);
    await saga.confirmPending(who.id, key(who.id, 'confirm'));
    roles.answerUpdate = async () => undefined;
    expect(await act(who, 'confirm', who.tutorToken, options)).toMatchObject({
      status: 200,
      body: { status: 'confirmed' },
    });
  });

  test('the same key on two actions makes two updates; without a key each try is its own', async () => {
    const who = await given(asksTutor);
    roles.answerUpdate = async () => lateReply();
    await act(who, 'confirm', who.tutorToken, { key: 'k' });
    const reused = await act(who, 'decline', who.tutorToken, { key: 'k', body: { reason: 'Ill' } });
    expect(reused.body.code).toBe('idempotency_key_reused');
    await act(who, 'decline', who.tutorToken, { key: 'k2', body: { reason: 'Ill' } });
    await act(who, 'confirm', who.tutorToken);
    await act(who, 'confirm', who.tutorToken);
    expect(new Set(updates.map(({ updateId }) => updateId)).size).toBe(4);
  });

  test('a refusal that is certain stays the same under its key, whatever happens later', async () => {
    const who = await given(create);
    const options = { key: uuidv7() };
    const reply = await act(who, 'confirm', who.tutorToken, options);
    expect(reply).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
    await saga.awaitTutor(who.id, { respondBy: inHours(24) }, key(who.id, 'await-tutor'));
    expect(withoutRequestId(await act(who, 'confirm', who.tutorToken, options))).toEqual(withoutRequestId(reply));
    expect((await act(who, 'confirm', who.tutorToken)).status).toBe(200);
  });

  test('a session is completed by its tutor, and not before its end', async () => {
    const early = await given(confirmedAtOnce, { scheduledAt: inHours(-0.5) });
    expect((await act(early, 'complete', early.tutorToken)).body.code).toBe('invalid_state');
    expect(updates).toHaveLength(0);
    const over = await given(confirmedAtOnce, { scheduledAt: inHours(-3) });
    roles.answerUpdate = () => saga.completeConfirmed(over.id, { by: 'tutor' }, key(over.id, 'complete'));
    const reply = await act(over, 'complete', over.tutorToken);
    expect(reply).toMatchObject({ status: 200, body: { status: 'completed', statusReason: 'completed_by_tutor' } });
    expect(updates).toMatchObject([{ name: 'complete', argument: { actorId: over.tutor } }]);
  });

  test('two copies of a command at once with one key: one update', async () => {
    const who = await given(asksTutor);
    roles.answerUpdate = () => saga.confirmPending(who.id, key(who.id, 'confirm'));
    const options = { key: uuidv7() };
    const replies = await Promise.all(Array.from({ length: 5 }, () => act(who, 'confirm', who.tutorToken, options)));
    for (const { status, body } of replies)
      expect(status === 200 || body.code === 'idempotency_in_progress').toBe(true);
    expect(updates).toHaveLength(1);
  });

  test('an unexpected error is not kept', async () => {
    const who = await given(asksTutor);
    const options = { key: uuidv7() };
    roles.answerUpdate = async () => {
      throw new TypeError('a bug');
    };
    expect((await act(who, 'confirm', who.tutorToken, options)).body.code).toBe('internal');
    roles.answerUpdate = () => saga.confirmPending(who.id, key(who.id, 'confirm'));
    expect((await act(who, 'confirm', who.tutorToken, options)).status).toBe(200);
  });

  test('an administrator answers a saga that needs attention; the explanation stays here', async () => {
    const who = await given(create);
    const token = await service.userToken({ role: 'admin' });
    const options = { key: uuidv7(), body: { action: 'accept', note: 'Refunded by bank transfer' } };
    expect((await act(who, 'resolve', token, options)).status).toBe(204);
    expect((await act(who, 'resolve', token, options)).status).toBe(204);
    expect(updates).toMatchObject([{ name: 'resolve', argument: { action: 'accept', noteId: expect.any(String) } }]);
    const notes = await service.database.sql`select kind, text from booking_notes where booking_id = ${who.id}`;
    expect(notes).toEqual([{ kind: 'resolve', text: 'Refunded by bank transfer' }]);
    for (const other of [who.studentToken, who.tutorToken]) {
      expect((await act(who, 'resolve', other, options)).body.code).toBe('forbidden');
    }
    expect((await act({ id: uuidv7() }, 'resolve', token, { body: options.body })).status).toBe(404);
    expect((await act(who, 'resolve', token, { body: { action: 'retry' } })).status).toBe(422);
    expect((await act(who, 'resolve', token, { body: { action: 'retry', note: 'because' } })).status).toBe(422);
    expect(await actsOf(who.id)).toMatchObject([
      { act: 'saga_resolved', reason: 'Refunded by bank transfer', after: { step: null, action: 'accept' } },
    ]);
  });

  test('an administrator who cancels says why, so that others understand it', async () => {
    const who = await given(confirmedAtOnce, { scheduledAt: inHours(12) });
    const token = await service.userToken({ role: 'admin' });
    const reply = await act(who, 'cancel', token, { body: { reason: 'Ill' } });
    expect(reply).toMatchObject({ status: 422, body: { errors: [{ path: 'body.reason' }] } });
    expect([updates, await actsOf(who.id)]).toEqual([[], []]);
  });
});
