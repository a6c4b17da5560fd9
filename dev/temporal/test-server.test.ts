import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TestWorkflowEnvironment } from '@temporalio/testing';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { timeSkippingServer } from './test-server';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tutorconnect-test-server-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('a workflow that sleeps for 48 hours ends within seconds', async () => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
  const environment = await TestWorkflowEnvironment.createTimeSkipping(await timeSkippingServer());
  try {
    const workflowsPath = require.resolve('../../tests/support/sleeper');
    const worker = await Worker.create({
      connection: environment.nativeConnection,
      taskQueue: 'sleepers',
      workflowsPath,
    });
    const before = await environment.currentTimeMs();
    const started = performance.now();
    await worker.runUntil(environment.client.workflow.execute('twoDays', { workflowId: 'w', taskQueue: 'sleepers' }));
    expect(performance.now() - started).toBeLessThan(20_000);
    expect((await environment.currentTimeMs()) - before).toBeGreaterThanOrEqual(48 * 3_600_000);
  } finally {
    await environment.teardown();
  }
}, 300_000);

test('asked for ten times at once it is fetched once', async () => {
  let downloads = 0;
  const download = async (_into: string, file: string) => {
    downloads++;
    writeFileSync(file, '#!/bin/sh\n', { mode: 0o755 });
    return true;
  };
  const asked = await Promise.all(
    Array.from({ length: 10 }, () => timeSkippingServer({ cache: folder, download, say: () => undefined })),
  );
  expect(downloads).toBe(1);
  const paths = new Set(asked.map(({ server }) => server.executable.path));
  expect(paths.size).toBe(1);
  expect(readFileSync([...paths][0] ?? '', 'utf8')).toBe('#!/bin/sh\n');
});

test('without download, Java and Maven it says what to install', async () => {
  const asked = timeSkippingServer({
    cache: folder,
    say: () => undefined,
    download: async () => false,
    findOnPath: async () => undefined,
  });
  await expect(asked).rejects.toThrow(/java and mvn .* are not installed: install a Java runtime and Maven/);
});
