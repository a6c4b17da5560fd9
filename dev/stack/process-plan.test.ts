import { services } from '../../services';
import { workers } from '../../workers';
import { planProcesses, processesOf, SERVICE_NAMES, WORKER_NAMES } from './process-plan';

test('the plan knows every service and every worker that there is', () => {
  expect([...SERVICE_NAMES].toSorted()).toEqual(Object.keys(services).toSorted());
  expect([...WORKER_NAMES].toSorted()).toEqual(Object.keys(workers).toSorted());
});

test('by default all services share one process and all workers another', () => {
  expect(planProcesses([], false)).toEqual({ services: SERVICE_NAMES, workers: WORKER_NAMES });
});

test('chosen services come with the workers of their sagas, and those that they share once', () => {
  expect(planProcesses(['booking', 'payment', 'identity'], false)).toEqual({
    services: ['identity', 'booking', 'payment'],
    workers: ['worker:booking', 'worker:core'],
  });
  expect(planProcesses(['gateway'], false)).toEqual({ services: ['gateway'] });
  expect(planProcesses(['worker:core'], false)).toEqual({ workers: ['worker:core'] });
});

test('isolated, each has a process of its own', () => {
  expect(planProcesses(['booking', 'booking'], true)).toEqual({
    booking: ['booking'],
    'worker-booking': ['worker:booking'],
  });
  expect(Object.keys(planProcesses(['services', 'workers'], true))).toHaveLength(
    SERVICE_NAMES.length + WORKER_NAMES.length,
  );
});

test('each process has a management port of its own, beside the first', () => {
  expect(processesOf(planProcesses(['booking'], false), 8100)).toEqual([
    { name: 'services', args: ['booking'], managementPort: 8100 },
    { name: 'workers', args: ['worker:booking'], managementPort: 8101 },
  ]);
});

test('a name that there is not is refused with those there are', () => {
  expect(() => planProcesses(['bookings'], false)).toThrow(/^There is no bookings; there are all, gateway,/);
});

test('what does not run is in no group, and refused by its name', () => {
  const some = new Set(['gateway', 'booking'] as const);
  expect(planProcesses([], false, some)).toEqual({ services: ['gateway', 'booking'], workers: ['worker:booking'] });
  expect(() => planProcesses(['payment'], false, some)).toThrow('MODULES switches off payment');
  expect(() => planProcesses(['worker:core'], false, some)).toThrow('MODULES switches off worker:core');
});
