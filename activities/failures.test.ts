import { ApplicationFailure } from '@temporalio/common';
import { ERROR_CODES, type ErrorCode, ProblemError } from '../kernel/errors';
import { mapErrors, toFailure } from './failures';

const codes = Object.keys(ERROR_CODES) as ErrorCode[];

test.each(codes)('%s is retried exactly when the table of codes says so, and its type is the code', (code) => {
  const failure = toFailure(new ProblemError(code));
  expect(failure.type).toBe(code);
  expect(failure.nonRetryable).toBe(!ERROR_CODES[code].retryable);
  // What a business refuses is no fault of ours and must not alarm anybody.
  expect(failure.category === 'BENIGN').toBe(!ERROR_CODES[code].retryable);
});

test('the Retry-After of a service is honoured, in milliseconds; a final refusal has none', () => {
  const more = { retryAfterSeconds: 7 };
  expect(toFailure(new ProblemError('rate_limited', undefined, more)).nextRetryDelay).toBe(7_000);
  expect(toFailure(new ProblemError('rate_limited')).nextRetryDelay).toBeUndefined();
  expect(toFailure(new ProblemError('payment_declined', undefined, more)).nextRetryDelay).toBeUndefined();
});

test('of a refusal’s extras only ids and codes reach a history', () => {
  const extras = { paymentId: 'p1', bookingId: 'b1', declineCode: 'lost_card', email: 'a@b.example', amount: 5 };
  expect(toFailure(new ProblemError('payment_declined', undefined, { extras })).details).toEqual([
    { paymentId: 'p1', bookingId: 'b1', declineCode: 'lost_card' },
  ]);
  expect(
    toFailure(new ProblemError('conflict', undefined, { extras: { email: 'a@b.example' } })).details ?? [],
  ).toEqual([]);
});

describe('what an activity throws', () => {
  const thrownBy = (error: unknown): Promise<ApplicationFailure> =>
    mapErrors(async () => {
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
    await expect(mapErrors(async () => 5)).resolves.toBe(5);
  });
});
