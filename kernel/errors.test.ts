import { connect } from 'node:net';
import { causesOf, ERROR_CODES, isErrorCode, ProblemError } from './errors';

const table = Object.entries(ERROR_CODES);

test.each(table)('%s is told as an error of HTTP, in one sentence for a person', (code, { status, title }) => {
  expect(code).toMatch(/^[a-z]+(_[a-z]+)*$/);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(600);
  expect(title).toMatch(/^[A-Z].*[^.]$/);
});

test('the table is in the order of its statuses, and faults on our side are retryable but for the one that stays', () => {
  const statuses = table.map(([, { status }]) => status);
  expect(statuses).toEqual([...statuses].sort((a, b) => a - b));
  for (const [code, { status, retryable }] of table)
    if (status >= 500 || status === 429) expect([code, retryable]).toEqual([code, code !== 'payment_rejected']);
});

test('what ends a step for good is never retryable', () => {
  for (const code of ['payment_declined', 'slot_unavailable', 'invalid_state', 'undone', 'not_found'] as const)
    expect(ERROR_CODES[code].retryable).toBe(false);
});

test('an error carries its code, status and, unless told otherwise, the title as its detail', () => {
  const error = new ProblemError('slot_unavailable');
  expect(error).toMatchObject({ name: 'ProblemError', code: 'slot_unavailable', status: 409, more: {} });
  expect(error.detail).toBe(ERROR_CODES.slot_unavailable.title);
  expect(new ProblemError('conflict', 'Taken').message).toBe('conflict: Taken');
});

test('only codes of the table are error codes, not what objects inherit', () => {
  expect(isErrorCode('not_found')).toBe(true);
  for (const other of ['NOT_FOUND', 'toString', 'constructor', '', undefined, 404])
    expect(isErrorCode(other)).toBe(false);
});

describe('causesOf', () => {
  test('walks from the outermost error to the innermost', () => {
    const inner = new Error('inner');
    const middle = { code: '23505', cause: inner };
    const outer = new Error('outer', { cause: middle });
    expect([...causesOf(outer)]).toEqual([outer, middle, inner]);
  });

  test('ends where the causes go in a circle', () => {
    const error: { cause?: unknown } = {};
    error.cause = error;
    expect([...causesOf(error)]).toHaveLength(5);
  });

  test.each([[undefined], [null], ['text'], [7]])('finds nothing in %p', (thrown) => {
    expect([...causesOf(thrown)]).toEqual([]);
  });

  test("sees Node's own errors, whatever realm they are of", async () => {
    const error = await new Promise((resolve) => connect(1, '127.0.0.1').once('error', resolve));
    const [found] = causesOf(error);
    expect(found).toMatchObject({ code: 'ECONNREFUSED' });
  });
});
