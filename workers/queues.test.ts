import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createActivities, createClients } from '../activities';
import { onOneQueue } from '../activities/on-one-queue';
import { QUEUES } from '../kernel/modules';
import { loadConfig } from '../platform/config';
import { workers } from '.';

const activities = createActivities(
  createClients(
    loadConfig({ SERVICE_TOKEN_SECRET: 'only-names-are-asked-for-nothing-is-called' }, 'no-env-file-in-tests'),
  ),
);

/** The types of all steps, recorded and local, that real runs of a saga called. */
function stepsOf(saga: string): string[] {
  const folder = join(__dirname, '../workflows/histories', saga);
  const stored = readdirSync(folder).filter((file) => file.endsWith('.json'));
  const types = stored.flatMap((file) => {
    const { events } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    return events.flatMap((event: Record<string, unknown>) => typeOf(event));
  });
  return [...new Set<string>(types)];
}

// biome-ignore lint/suspicious/noExplicitAny: events of many shapes pass through here
function typeOf(event: any): string[] {
  const recorded = event.activityTaskScheduledEventAttributes?.activityType.name;
  if (recorded) return [recorded];
  const marker = event.markerRecordedEventAttributes;
  if (marker?.markerName !== 'core_local_activity') return [];
  return [JSON.parse(Buffer.from(marker.details.data.payloads[0].data, 'base64').toString()).activity_type];
}

const kinds = QUEUES.flatMap(({ name, sagas }) => sagas.map((saga) => [saga, name] as const));

test.each(kinds)(
  'sagas of the kind %s find every activity that they were seen to call on the queue %s',
  (saga, queue) => {
    const called = stepsOf(saga);
    expect(called.length).toBeGreaterThan(1);
    expect(Object.keys(activities[queue])).toEqual(expect.arrayContaining(called));
  },
);

test('every queue has a worker that can be started by name', () => {
  expect(Object.keys(workers).toSorted()).toEqual(
    Object.keys(activities)
      .map((queue) => `worker:${queue}`)
      .toSorted(),
  );
});

test('two activities of one name on one queue are refused: Temporal would call either', () => {
  const transfer = async () => undefined;
  expect(() => onOneQueue({ transfer }, { 'payout.transfer': transfer }, { transfer })).toThrow(
    'One task queue has two activities of the name transfer',
  );
  expect(Object.keys(onOneQueue({ transfer }, { 'payout.transfer': transfer }))).toEqual([
    'transfer',
    'payout.transfer',
  ]);
});
