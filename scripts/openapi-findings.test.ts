import { type Finding, findingsIn, whyKnown } from './openapi-findings';

const base64 = (value: unknown) => ({ $base64: Buffer.from(JSON.stringify(value)).toString('base64') });

/** A line of the report: one request, its answer, and whether a check holds that against the reference. */
function line(id: string, { failed, status, body }: { failed: boolean; status: number; body: unknown }): string {
  const failure = { operation: 'GET /api/bookings', message: 'Valid data should have been accepted' };
  const checks = { [id]: [{ name: 'positive_data_acceptance', ...(failed && { failure_info: { failure } }) }] };
  const request = { method: 'GET', uri: `http://127.0.0.1/api/bookings?cursor=${id}`, body: null };
  const interactions = { [id]: { request, response: { status_code: status, content: base64(body) } } };
  return JSON.stringify({ ScenarioFinished: { recorder: { label: 'GET /api/bookings', checks, interactions } } });
}

const notACursor = {
  code: 'validation_failed',
  errors: [{ path: 'query.cursor', message: 'is not a cursor of this list' }],
};

test('a report is read: what failed, with an example, equal things as one, and nothing else', () => {
  const report = [
    JSON.stringify({ Initialize: { seed: 1 } }),
    line('a', { failed: true, status: 422, body: notACursor }),
    line('b', { failed: true, status: 422, body: notACursor }),
    line('c', { failed: false, status: 200, body: { items: [] } }),
    line('d', { failed: true, status: 500, body: 'no problem document' }),
    '',
  ].join('\n');
  expect(findingsIn(report)).toEqual([
    {
      operation: 'GET /api/bookings',
      check: 'positive_data_acceptance',
      status: 422,
      code: 'validation_failed',
      fields: ['query.cursor is not a cursor of this list'],
      example: expect.stringContaining('cursor=a'),
      times: 2,
    },
    expect.objectContaining({ status: 500, code: '"no problem document"', fields: [], times: 1 }),
  ]);
});

const finding = (more: Partial<Finding>): Finding => ({
  operation: 'GET /api/bookings',
  check: 'positive_data_acceptance',
  status: 422,
  code: 'validation_failed',
  fields: ['query.cursor is not a cursor of this list'],
  example: '',
  times: 1,
  ...more,
});

test('what no reference can say is known, with its reason', () => {
  expect(whyKnown(finding({}))).toContain('a cursor is opaque');
  const fields = ['query.cursor is not a cursor of this list', 'query.to must be after from'];
  expect(whyKnown(finding({ fields }))).toContain('fit together');
});

test.each([
  ['a field beside the known one', { fields: ['query.cursor is not a cursor of this list', 'query.limit is odd'] }],
  ['another check of the same reply', { check: 'negative_data_rejection' }],
  ['a failure of the server', { status: 500, code: 'internal', fields: [] }],
  ['a refusal that belongs to another operation', { fields: ['payeeId is nobody who can be paid'] }],
  ['a body that the platform does not take', { code: 'malformed_body', fields: [] }],
])('%s is not excused', (_, more) => {
  expect(whyKnown(finding(more))).toBeUndefined();
});
