import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { storable } from './record-history';

const base64 = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64');

const history = (more: object = {}, kind: unknown = 'refund') =>
  JSON.stringify({
    events: [
      {
        eventId: '1',
        workflowExecutionStartedEventAttributes: {
          taskQueue: { name: 'core', kind: 'TASK_QUEUE_KIND_NORMAL' },
          searchAttributes: { indexedFields: { SagaKind: { data: base64(kind) } } },
          identity: '4711@adas-laptop.example',
          input: { payloads: [{ data: base64({ bookingId: 'b1' }) }] },
        },
      },
      {
        eventId: '2',
        workflowTaskScheduledEventAttributes: {
          taskQueue: { name: '4711@adas-laptop-8f0c', kind: 'TASK_QUEUE_KIND_STICKY', normalName: 'core' },
        },
      },
      { eventId: '3', ...more },
    ],
  });

test('a history is stored under its saga, one event a line, without names and folders of the machine it ran on', () => {
  const failure = { message: 'refused', stackTrace: 'at /home/ada/activities.ts', cause: { stackTrace: 'at /home' } };
  const { saga, text } = storable(history({ activityTaskFailedEventAttributes: { identity: '1@host', failure } }));
  expect(saga).toBe('refund');
  expect(text.trim().split('\n')).toHaveLength(5);
  expect(text).not.toMatch(/laptop|\/home|@host/);
  expect(JSON.parse(text).events).toMatchObject([
    { workflowExecutionStartedEventAttributes: { identity: 'recorded', taskQueue: { name: 'core' } } },
    { workflowTaskScheduledEventAttributes: { taskQueue: { normalName: 'core' } } },
    { activityTaskFailedEventAttributes: { failure: { message: 'refused' } } },
  ]);
});

test('a saga that another has started is stored under its own kind', () => {
  expect(storable(history({}, ['refund'])).saga).toBe('refund');
});

test.each([
  ['in plain text', { failure: { message: 'no user ada@example.com' } }],
  ['inside a payload', { result: { payloads: [{ data: base64({ email: 'ada@example.com' }) }] } }],
  ['inside a header', { header: { fields: { who: { data: base64('ada@example.com') } } } }],
])('a history with an e-mail address %s is refused, and the address is not repeated', (_, attributes) => {
  const recording = () => storable(history({ activityTaskCompletedEventAttributes: attributes }));
  expect(recording).toThrow(/looks like an e-mail address, at history\.events\[2\]/);
  expect(recording).not.toThrow(/ada@/);
});

test('storing what was stored changes nothing', () => {
  const stored = readFileSync(join(__dirname, '../workflows/histories/booking/confirmed.v1.json'), 'utf8');
  expect(storable(stored)).toEqual({ saga: 'booking', text: stored });
});
