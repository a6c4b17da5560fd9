import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, Connection, ScheduleClient } from '@temporalio/client';
import { msToTs, tsToMs } from '@temporalio/common/lib/time';
import { REFS, SEARCH_ATTRIBUTES } from '../../kernel/saga-type';
import { HOUR } from '../../kernel/time';
import { type Config, loadConfig } from '../../platform/config';
import { startOptions } from '../../platform/temporal';
import { prepareNamespace } from '../../platform/temporal-namespace';
import { eventually } from '../../tests/support/platform';
import { SWEEP_EVERY_MS, sweepSchedule } from '../../workflows/sweep.api';
import { freePortSettings } from '../machine/ports';
import { type LaunchListener, launch } from '../processes/launch';
import { embeddedTemporal } from './server';

const THIRTY_DAYS_MS = 30 * 86_400_000;
const KEYWORD = 2;
const KEYWORD_LIST = 7;

jest.setTimeout(60_000);

let config: Config;
/** Another server, which is set up otherwise. */
let strict: Config;
let last: ChildProcess | undefined;
let said: string[];

const listener: LaunchListener = {
  born(child) {
    last = child;
  },
  died: () => undefined,
  line: () => undefined,
};

async function start() {
  const spec = await embeddedTemporal(config, (line) => said.push(line));
  await launch(spec, listener, new AbortController().signal);
}

async function kill() {
  if (!last || last.exitCode !== null || last.signalCode !== null) return;
  const exit = once(last, 'exit');
  last.kill('SIGKILL');
  await exit;
}

async function connected<T>(work: (connection: Connection) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: config.TEMPORAL_ADDRESS });
  try {
    return await work(connection);
  } finally {
    await connection.close();
  }
}

const sweepOf = (namespace: string) =>
  connected((connection) => new ScheduleClient({ connection, namespace }).getHandle('sweep').describe());

const retentionOf = (namespace: string) =>
  connected(async ({ workflowService }) => {
    const { config: found } = await workflowService.describeNamespace({ namespace });
    return found?.workflowExecutionRetentionTtl ? tsToMs(found.workflowExecutionRetentionTtl) : 0;
  });

const attributesOf = (namespace: string) =>
  connected(
    async ({ operatorService }) => (await operatorService.listSearchAttributes({ namespace })).customAttributes,
  );

beforeAll(async () => {
  config = loadConfig(
    {
      ...(await freePortSettings()),
      DATA_DIR: mkdtempSync(join(tmpdir(), 'tutorconnect-temporal-')),
      SERVICE_TOKEN_SECRET: 'x'.repeat(32),
    },
    'no-env-file-in-tests',
  );
  strict = loadConfig(
    {
      ...(await freePortSettings()),
      DATA_DIR: mkdtempSync(join(tmpdir(), 'tutorconnect-temporal-')),
      SERVICE_TOKEN_SECRET: 'x'.repeat(32),
    },
    'no-env-file-in-tests',
  );
  said = [];
  await start();
});
afterAll(async () => {
  await kill();
  for (const { DATA_DIR } of [config, strict]) rmSync(DATA_DIR, { recursive: true, force: true });
});

test('the embedded server knows the search attributes and keeps histories for 30 days', async () => {
  await prepareNamespace(config, (line) => said.push(line), [sweepSchedule]);
  expect(await retentionOf('default')).toBe(THIRTY_DAYS_MS);
  expect(await attributesOf('default')).toMatchObject(
    Object.fromEntries([...SEARCH_ATTRIBUTES.map((name) => [name, KEYWORD]), [REFS, KEYWORD_LIST]]),
  );
  expect(said).toEqual([]);
});

test('a saga is found by each of the things that it concerns', async () => {
  const payout = {
    workflowType: 'payout',
    taskQueue: 'nobody',
    workflowId: (id: string) => `payout:${id}`,
    searchAttributes: (id: string) => ({
      SagaKind: 'payout',
      Refs: [`user:${id}`, 'payment:p1', 'payment:p2'] as const,
    }),
    summary: () => 'A payout',
  };
  await connected(async (connection) => {
    const { workflow } = new Client({ connection });
    for (const id of ['u1', 'u2']) await workflow.start(payout.workflowType, startOptions(payout, id));
    const found = async (query: string) => {
      const ids: string[] = [];
      for await (const { workflowId } of workflow.list({ query })) ids.push(workflowId);
      return ids.toSorted();
    };
    await eventually('both are found', async () => (await found(`Refs = "payment:p2"`)).length === 2);
    expect(await found(`Refs = "user:u1"`)).toEqual(['payout:u1']);
    expect(await found(`Refs = "user:u1" AND SagaKind = "payout"`)).toEqual(['payout:u1']);
    expect(await found(`Refs = "payment:p3"`)).toEqual([]);
  });
});

test('an attribute that is there with another type is named', async () => {
  const given = { ...config, TEMPORAL_NAMESPACE: 'otherwise' };
  await connected(async ({ workflowService, operatorService }) => {
    await workflowService.registerNamespace({
      namespace: 'otherwise',
      workflowExecutionRetentionPeriod: msToTs(THIRTY_DAYS_MS),
    });
    await eventually('it is known', async () => {
      const searchAttributes = { [REFS]: KEYWORD };
      return operatorService.addSearchAttributes({ namespace: 'otherwise', searchAttributes }).then(
        () => true,
        () => false,
      );
    });
    await eventually('it is seen', async () => (await attributesOf('otherwise'))?.[REFS] === KEYWORD);
  });
  await expect(prepareNamespace(given, (line) => said.push(line), [])).rejects.toThrow(
    /^The search attributes Refs of namespace otherwise have another type: it must have SagaKind, .*Refs of type KeywordList$/,
  );
});

test('kill -9 of the server loses no workflow', async () => {
  const workflowId = 'booking:kept';
  await connected(async (connection) => {
    const { workflow } = new Client({ connection });
    await workflow.start('booking', { workflowId, taskQueue: 'nobody', searchAttributes: { SagaKind: ['booking'] } });
  });
  await kill();
  await start();
  await connected(async (connection) => {
    const found = await new Client({ connection }).workflow.getHandle(workflowId).describe();
    expect(found.status.name).toBe('RUNNING');
  });
  expect(await retentionOf('default')).toBe(THIRTY_DAYS_MS);
});

test('on a given server a missing namespace is made, once, however many start', async () => {
  const given = { ...config, TEMPORAL_NAMESPACE: 'tutorconnect' };
  await Promise.all([1, 2].map(() => prepareNamespace(given, (line) => said.push(line), [sweepSchedule])));
  expect(await retentionOf('tutorconnect')).toBe(THIRTY_DAYS_MS);
  expect(await attributesOf('tutorconnect')).toMatchObject({ SagaState: KEYWORD, PaymentId: KEYWORD });
  expect((await sweepOf('tutorconnect')).action).toMatchObject({ workflowType: 'sweep', taskQueue: 'core' });
});

test('a Schedule runs one at a time, makes up for nothing, and stays paused when it is brought up to date', async () => {
  const prepare = (everyMs: number) =>
    prepareNamespace(config, (line) => said.push(line), [{ ...sweepSchedule, when: { everyMs }, catchUpMs: everyMs }]);
  await prepare(HOUR);
  expect(await sweepOf('default')).toMatchObject({
    spec: { intervals: [{ every: HOUR }] },
    policies: { overlap: 'SKIP', catchupWindow: HOUR },
    state: { paused: false },
  });
  await connected((connection) => new ScheduleClient({ connection }).getHandle('sweep').pause('looking into it'));
  await prepare(SWEEP_EVERY_MS);
  expect(await sweepOf('default')).toMatchObject({
    spec: { intervals: [{ every: SWEEP_EVERY_MS }] },
    state: { paused: true, note: 'looking into it' },
  });
  expect(said).toEqual([]);
});

test('a Schedule that is to begin at once runs when it is made, and not when it is brought up to date', async () => {
  const schedule = { ...sweepSchedule, scheduleId: 'at-once', taskQueue: 'nobody', atOnce: true } as const;
  const prepare = (hour: number) =>
    prepareNamespace(config, (line) => said.push(line), [{ ...schedule, when: { hour } }]);
  const seen = () =>
    connected(async (connection) => {
      const { info, spec } = await new ScheduleClient({ connection }).getHandle('at-once').describe();
      return { begun: info.numActionsTaken, hour: spec.calendars?.[0]?.hour };
    });
  const at = (start: number) => [{ start, end: start, step: 1 }];
  await prepare(2);
  await eventually('it has begun', async () => (await seen()).begun > 0);
  await prepare(3);
  expect(await seen()).toEqual({ begun: 1, hour: at(3) });
});

test('a server that lets no Schedules be made is told of, and everything else is prepared', async () => {
  const spec = await embeddedTemporal(strict, () => undefined);
  let other: ChildProcess | undefined;
  const born = (child: ChildProcess) => {
    other = child;
  };
  const args = [...spec.args, '--dynamic-config-value', 'frontend.enableSchedules=false'];
  await launch({ ...spec, args }, { ...listener, born }, new AbortController().signal);
  const lines: string[] = [];
  await prepareNamespace(strict, (line) => lines.push(line), [sweepSchedule]);
  expect(lines).toEqual([expect.stringMatching(/does not let the Schedule sweep be made: .* docs\/sagas\/sweep\.md/)]);
  other?.kill('SIGKILL');
});

test('a longer retention is left as it is', async () => {
  const sixtyDays = { seconds: 60 * 86_400 };
  await connected(({ workflowService }) =>
    workflowService.registerNamespace({ namespace: 'patient', workflowExecutionRetentionPeriod: Object(sixtyDays) }),
  );
  await prepareNamespace({ ...config, TEMPORAL_NAMESPACE: 'patient' }, (line) => said.push(line), []);
  expect(await retentionOf('patient')).toBe(2 * THIRTY_DAYS_MS);
});

test('a port in use is told with the setting that moves it', async () => {
  await expect(embeddedTemporal(config, () => undefined)).rejects.toThrow(
    `Port ${config.TEMPORAL_PORT} is taken: stop what uses it, or set TEMPORAL_PORT to another`,
  );
  const ui = createServer().listen(0, '127.0.0.1');
  await once(ui, 'listening');
  const address = ui.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const [other = 0] = Object.values(await freePortSettings()).map(Number);
  const moved = { ...config, TEMPORAL_PORT: other, TEMPORAL_UI_PORT: port };
  await expect(embeddedTemporal(moved, () => undefined)).rejects.toThrow('set TEMPORAL_UI_PORT to another');
  ui.close();
});

test('a server that does not answer is told with the setting that names it', async () => {
  const [port] = Object.values(await freePortSettings());
  const nowhere = { TEMPORAL_ADDRESS: `127.0.0.1:${port}`, TEMPORAL_NAMESPACE: 'default' };
  await expect(prepareNamespace(nowhere, () => undefined, [])).rejects.toThrow(
    `Temporal does not answer at 127.0.0.1:${port}: start it, or correct TEMPORAL_ADDRESS`,
  );
});
