import { ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import { bookingServiceUnderTest, key } from '../../../tests/support/booking-service';
import { inHours } from '../../../tests/support/bookings';

const { service, saga, roles, updates, confirmedAtOnce, asksTutor, given } = bookingServiceUnderTest();

const withdraw = (id: string, by: 'decline' | 'cancel') => saga.withdrawBooking(id, by, `suspension:s/withdraw/${id}`);

test('what is open of a tutor and of a student is told apart, the next session first', async () => {
  const [waits, soon, late] = [
    await given(asksTutor),
    await given(confirmedAtOnce, { scheduledAt: inHours(12) }),
    await given(confirmedAtOnce, { scheduledAt: inHours(96) }),
  ];
  const over = await given(confirmedAtOnce, { scheduledAt: inHours(-12) });
  // All of one tutor's.
  await service.database.sql`
    update bookings set tutor_id = ${waits.tutor} where id in ${service.database.sql([soon.id, late.id, over.id])}`;
  expect(await saga.openSessions(waits.tutor)).toEqual({
    withdraw: [
      { id: soon.id, by: 'cancel' },
      { id: waits.id, by: 'decline' },
    ],
    ask: [late.id],
  });
  expect(await saga.openSessions(soon.student)).toEqual({ withdraw: [], ask: [soon.id] });
  expect(await saga.openSessions(uuidv7())).toEqual({ withdraw: [], ask: [] });
});

test('a request is declined for its tutor, and a session cancelled as by an operator, by the saga of each', async () => {
  const [waits, confirmed] = [await given(asksTutor), await given(confirmedAtOnce)];
  await withdraw(waits.id, 'decline');
  await withdraw(confirmed.id, 'cancel');
  expect(updates).toMatchObject([
    { workflowId: `booking:${waits.id}`, name: 'decline', argument: { actorId: waits.tutor, noteId: null } },
    { workflowId: `booking:${confirmed.id}`, name: 'cancel', argument: { by: 'operator', noteId: null } },
  ]);
});

test('one that ended in that moment is withdrawn; one that changed is told of', async () => {
  const [ends, changes] = [await given(asksTutor), await given(asksTutor)];
  roles.answerUpdate = async ({ workflowId }) => {
    if (workflowId.endsWith(ends.id))
      await saga.cancelPending(
        ends.id,
        { reason: 'tutor_expired', noteId: null, cancelledBy: null },
        key(ends.id, 'create/undo'),
      );
    throw new ProblemError('invalid_state');
  };
  await withdraw(ends.id, 'decline');
  await expect(withdraw(changes.id, 'decline')).rejects.toMatchObject({ code: 'invalid_state' });
  await expect(withdraw(uuidv7(), 'cancel')).rejects.toMatchObject({ code: 'not_found' });
});
