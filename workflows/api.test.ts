import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { QUEUES, SAGAS } from '../kernel/modules';
import { REFS, SEARCH_ATTRIBUTES } from '../kernel/saga-type';
import { exportOf } from '../platform/export-of';
import { textOf } from '../tests/support/repository';
import type { SagaExamples } from '../tests/support/saga-examples';

// What services know of every saga. What each is called and found by says its file in tests/support/saga-examples.

const examplesFor = (saga: string): SagaExamples =>
  exportOf(join(__dirname, '../tests/support/saga-examples', saga), 'sagaExamples');

/** The signals and updates that an api offers. */
function doorsOf(api: string): string[] {
  const doors: object = require(`./${api}.api`);
  return Object.values(doors).flatMap((door: unknown) =>
    typeof door === 'object' && door !== null && 'type' in door && 'name' in door ? [`${door.type} ${door.name}`] : [],
  );
}

const APIS = readdirSync(__dirname).flatMap((file) => /^(.+)\.api\.ts$/.exec(file)?.[1] ?? []);

test('every saga has an api, and every api is that of a saga, of all of them or of a Schedule', () => {
  expect(APIS.toSorted()).toEqual(
    [
      ...[...SAGAS, 'saga', 'sweep', 'weekly-payouts'],
      ...['daily-contacts', 'daily-debts', 'daily-disputes', 'daily-folds'],
    ].toSorted(),
  );
});

describe.each(SAGAS)('%s', (saga) => {
  const { examples, doors, started } = examplesFor(saga);

  test('is found by its kind and by whom and what it concerns, and a list says in a line what it is', () => {
    expect(examples.length).toBeGreaterThan(0);
    for (const { is, should } of examples) {
      expect(should.workflowId).toMatch(/^[a-z-]+:\w+(?::[A-Z]{3})?$/);
      expect(should.attributes).toMatchObject({ SagaKind: saga });
      expect(is).toEqual({ ...should, attributes: { SagaState: 'Running', ...should.attributes } });
      expect([...SEARCH_ATTRIBUTES, REFS]).toEqual(expect.arrayContaining(Object.keys(is.attributes)));
    }
  });

  test('is started on the queue that the one list gives it, as a workflow that its worker has', () => {
    expect(QUEUES.filter(({ sagas }) => sagas.includes(saga)).map(({ name }) => name)).toEqual([started.taskQueue]);
    expect(textOf(join('workflows', 'index.ts'))).toContain(`export { ${started.workflowType} } from './${saga}';`);
  });

  test('offers its doors under the names that are in histories and cannot change', () => {
    expect(doorsOf(saga).toSorted()).toEqual([...doors].toSorted());
  });
});

test('every saga has one door more, for operators', () => {
  expect(doorsOf('saga')).toEqual(['update resolve']);
});
