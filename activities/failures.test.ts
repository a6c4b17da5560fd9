import { ApplicationFailure, type RetryPolicy } from '@temporalio/common';
import { ERROR_CODES, type ErrorCode, ProblemError } from '../kernel/errors';
import { type FailedAttempt, mapErrors, toFailure } from './failures';

const FIRST: FailedAttempt = { attempt: 1 };

const codes = Object.keys(ERROR_CODES) as ErrorCode[];

test.each(codes)('%s is retried exactly when the table of codes says so, and its type is the code', (code) => {
  const failure = toFailure(new ProblemError(code), FIRST);
  expect(failure.type).toBe(code);
  expect(failure.nonRetryable).toBe(!ERROR_CODES[code].retryable);
  // What a business refuses is no fault of ours and must not alarm anybody.
  expect(failure.category === 'BENIGN').toBe(!ERROR_CODES[code].retryable);
});

describe('the pause before the next attempt', () => {
  const STEEP: RetryPolicy = { initialInterval: '1s', backoffCoefficient: 3, maximumInterval: 30_000 };
  const pauseAfter = (failed: FailedAttempt, retryAfterSeconds: number, code: ErrorCode = 'rate_limited') =>
    toFailure(new ProblemError(code, undefined, { retryAfterSeconds }), failed).nextRetryDelay;

  test('is no shorter than the Retry-After of the service, in milliseconds', () => {
    expect(pauseAfter({ attempt: 1, retryPolicy: STEEP }, 7)).toBe(7_000);
    expect(pauseAfter({ attempt: 2, retryPolicy: STEEP }, 7)).toBe(7_000);
    expect(pauseAfter({ attempt: 9, retryPolicy: STEEP }, 31)).toBe(31_000);
  });

  test('is the policy’s where that is as long, or where the service asked for nothing', () => {
    expect(pauseAfter({ attempt: 3, retryPolicy: STEEP }, 9)).toBeUndefined();
    expect(pauseAfter({ attempt: 9, retryPolicy: STEEP }, 30)).toBeUndefined();
    expect(toFailure(new ProblemError('rate_limited'), FIRST).nextRetryDelay).toBeUndefined();
  });

  test('is planned by Temporal’s defaults where a policy says nothing, and by the service alone without one', () => {
    expect(pauseAfter({ attempt: 3, retryPolicy: {} }, 4)).toBeUndefined();
    expect(pauseAfter({ attempt: 3, retryPolicy: {} }, 5)).toBe(5_000);
    expect(pauseAfter({ attempt: 20, retryPolicy: {} }, 100)).toBeUndefined();
    expect(pauseAfter({ attempt: 20 }, 1)).toBe(1_000);
  });

  test('is not spoken of after a final refusal', () => {
    expect(pauseAfter(FIRST, 7, 'payment_declined')).toBeUndefined();
  });
});

test('of a refusal’s extras only ids and codes reach a history', () => {
  const extras = { paymentId: 'p1', bookingId: 'b1', declineCode: 'lost_card', email: 'a@b.example', amount: 5 };
  expect(toFailure(new ProblemError('payment_declined', undefined, { extras }), FIRST).details).toEqual([
    { paymentId: 'p1', bookingId: 'b1', declineCode: 'lost_card' },
  ]);
  expect(
    toFailure(new ProblemError('conflict', undefined, { extras: { email: 'a@b.example' } }), FIRST).details ?? [],
  ).toEqual([]);
});

describe('what an activity throws', () => {
  const thrownBy = (error: unknown): Promise<ApplicationFailure> =>
    mapErrors(FIRST, async () => {
      throw error;
    }).then(
      () => {
        throw new Error('it did not throw');
      },
      (failure: ApplicationFailure) => failure,
    );

  test('a refusal becomes a failure with its code', async () => {
    expect((await thrownBy(new ProblemError('slot_unavailable'))).type).toBe('slot_unavailable');
  });

  test('a failure stays what it is', async () => {
    const failure = ApplicationFailure.create({ type: 'undone' });
    expect(await thrownBy(failure)).toBe(failure);
  });

  test.each([
    [new TypeError('no name in ada@example.com'), 'TypeError'],
    ['ada@example.com', 'string'],
  ])('a bug is retried, and nothing of its text reaches a history', async (bug, kind) => {
    const failure = await thrownBy(bug);
    expect(failure).toMatchObject({ type: 'internal', nonRetryable: false });
    expect(failure.message).toContain(kind);
    expect(JSON.stringify(failure) + failure.message).not.toContain('ada@');
  });

  test('what goes well is given back', async () => {
    await expect(mapErrors(FIRST, async () => 5)).resolves.toBe(5);
  });
});
