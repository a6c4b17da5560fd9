import { ApplicationFailure } from '@temporalio/common';
import { loadConfig } from './config';
import { uuidv7 } from './ids';
import { createSagas, problemOf, updateIdOf } from './temporal';

const userId = uuidv7();

describe('the id of an update', () => {
  test('is the same for a retry, and another for another person, action or key', () => {
    const id = updateIdOf(userId, 'confirm', 'k');
    expect(updateIdOf(userId, 'confirm', 'k')).toBe(id);
    const others = [
      updateIdOf(uuidv7(), 'confirm', 'k'),
      updateIdOf(userId, 'cancel', 'k'),
      updateIdOf(userId, 'confirm', 'K'),
    ];
    expect(new Set([id, ...others]).size).toBe(4);
  });

  test('tells nothing of the key', () => {
    expect(updateIdOf(userId, 'confirm', 'my-key')).toMatch(/^[0-9a-f]{64}$/);
  });
});

describe('a failure of a workflow', () => {
  test('with a code of the table is that refusal, with its extras', () => {
    const failure = ApplicationFailure.nonRetryable('The slot is gone', 'slot_unavailable', { bookingId: 'b' });
    expect(problemOf(failure)).toMatchObject({
      code: 'slot_unavailable',
      detail: 'The slot is gone',
      more: { extras: { bookingId: 'b' } },
    });
  });

  test.each([
    ApplicationFailure.nonRetryable('Cannot read properties of undefined', 'TypeError'),
    ApplicationFailure.nonRetryable('no type'),
    ApplicationFailure.nonRetryable('select secret', 'internal'),
  ])('without one is internal, and nothing of its text is told', (failure) => {
    const problem = problemOf(failure);
    expect(problem.code).toBe('internal');
    expect(problem.message).not.toContain(failure.message);
    expect(problem.more.extras).toBeUndefined();
  });
});

test('while Temporal is down every call says so, and when to ask again, instead of hanging', async () => {
  const config = loadConfig(
    { SERVICE_TOKEN_SECRET: 's'.repeat(32), TEMPORAL_ADDRESS: '127.0.0.1:1' },
    'no-env-file-in-tests',
  );
  const sagas = createSagas(config);
  const saga = {
    workflowType: 'x',
    taskQueue: 'x',
    workflowId: () => 'x:1',
    searchAttributes: () => ({ SagaKind: 'x' }),
    summary: () => 'x',
  };
  const doubt = { code: 'upstream_unavailable', more: { retryAfterSeconds: 2 } };
  await Promise.all([
    expect(sagas.start(saga, {})).rejects.toMatchObject(doubt),
    expect(sagas.wake(saga, {}, { name: 's' }, {})).rejects.toMatchObject(doubt),
    expect(sagas.signal('x:1', { name: 's' }, {})).rejects.toMatchObject(doubt),
    expect(sagas.update('x:1', { name: 'u' }, {}, { updateId: 'u', timeoutMs: 1_000 })).rejects.toMatchObject(doubt),
    expect(sagas.ping()).rejects.toThrow(),
  ]);
  await sagas.close();
}, 20_000);
