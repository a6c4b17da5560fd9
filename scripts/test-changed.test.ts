import { reachedBy, testsOf } from './test-changed';

jest.setTimeout(120_000);

let all: string[];
beforeAll(async () => {
  all = await testsOf();
});

test('a rule reaches its own tests, those that import it, and those that run the compiled programs', async () => {
  const reached = await reachedBy(['services/booking/rules/terms.ts'], all);
  expect(reached).toEqual(
    expect.arrayContaining(['services/booking/rules/terms.test.ts', 'tests/e2e/booking.test.ts']),
  );
  expect(reached).not.toContain('services/identity/rules.test.ts');
  expect(reached).not.toContain('workflows/booking-moves.test.ts');
});

test('a workflow reaches the tests of all workflows, which are handed them by a path', async () => {
  const reached = await reachedBy(['workflows/booking-moves.ts'], all);
  const ofWorkflows = ['booking-moves', 'refund', 'replay'].map((name) => `workflows/${name}.test.ts`);
  expect(reached).toEqual(expect.arrayContaining([...ofWorkflows, 'tests/faults/booking-matrix.test.ts']));
});

test('a page reaches the tests that read pages and no others', async () => {
  const reached = await reachedBy(['docs/glossary.md'], all);
  expect(reached).toContain('tests/docs.test.ts');
  expect(reached.filter((path) => !/^(tests|scripts)\/[^/]+$/.test(path))).toEqual([]);
  expect(reached).not.toContain('tests/generators.test.ts');
});

test('without a change there is nothing to run', async () => {
  expect(await reachedBy([], all)).toEqual([]);
});
