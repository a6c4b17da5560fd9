import type { Endpoint } from '../platform/endpoint';
import { operations } from './support/contracts';
import { undoScenes } from './support/undo';

// Whether tests/undo.test.ts plays every step.

const { PAIRS, FORWARD_ONLY } = undoScenes();

const bySagas = (rule: Endpoint['idempotency']) =>
  operations.filter(
    ({ access, idempotency, operationId }) =>
      // What is erased of a person, which every context says, is not to come back.
      access === 'service' && idempotency === rule && operationId !== 'erasePerson',
  );
const ids = (endpoints: (Endpoint | null)[]) =>
  [...new Set(endpoints.flatMap((endpoint) => endpoint?.operationId ?? []))].toSorted();

test('every step is played here with what takes it back, or is listed with the reason why nothing does', () => {
  const pairs = Object.values(PAIRS);
  expect(ids(pairs.map(({ undo }) => undo))).toEqual(ids(bySagas('undo')));
  const said = [...ids(pairs.map(({ step }) => step)), ...Object.keys(FORWARD_ONLY)].toSorted();
  expect(said).toEqual(ids(bySagas('required')));
});
