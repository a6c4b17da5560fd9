import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { request } from 'undici';
import { compiledPath } from './machine/paths';
import { answersAt, freePortSettings } from './machine/ports';
import { removeDataDir, temporaryDataDir } from './machine/temporary-data';
import { buildOnce } from './processes/build-once';
import { isRunning, until } from './processes/identify';
import { livingChildren } from './processes/run-file';
import { ownSettings } from './stack/own-platform';
import { type RunningPlatform, startPlatform } from './stack/platform';

jest.setTimeout(120_000);

let settings: Record<string, string>;
let dataDir: string;

beforeAll(async () => {
  await buildOnce();
  dataDir = temporaryDataDir();
  settings = { ...(await ownSettings()), DATA_DIR: dataDir };
});
afterAll(() => removeDataDir(dataDir));

const statusOf = async (url: string) => (await request(url).catch(() => undefined))?.statusCode;
const gatewayAnswers = () => statusOf(`http://127.0.0.1:${settings.GATEWAY_PORT}/healthz`);
const everythingStopped = async () => {
  const ports = Object.keys(settings).filter((name) => name.endsWith('_PORT'));
  const open = await Promise.all(ports.map(async (name) => ((await answersAt(Number(settings[name]))) ? [name] : [])));
  return { children: livingChildren(dataDir).map(({ name }) => name), open: open.flat() };
};
const NOTHING = { children: [], open: [] };

/** `npm start` without npm, in a folder without `.env`. */
function start(...args: string[]) {
  const child = spawn(process.execPath, [compiledPath('dev/start.js'), ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...settings },
    cwd: dataDir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += String(text)));
  const said = (text: string) => until(() => output.includes(text) || child.exitCode !== null, 90_000);
  return { child, said, output: () => output };
}

const exitOf = async (child: ChildProcess): Promise<unknown> => child.exitCode ?? (await once(child, 'exit'))[0];

describe('npm start', () => {
  test('starts everything with one table of URLs, and SIGTERM leaves nothing behind', async () => {
    const { child, said, output } = start('gateway');
    await said('Ready after');
    for (const name of ['GATEWAY', 'TEMPORAL_UI', 'MAIL_UI', 'STRIPE_SANDBOX', 'MANAGEMENT']) {
      expect(output()).toContain(`http://127.0.0.1:${settings[`${name}_PORT`]}`);
    }
    expect(await gatewayAnswers()).toBe(200);
    child.kill('SIGTERM');
    expect(await exitOf(child)).toBe(0);
    expect(await everythingStopped()).toEqual(NOTHING);
  });

  test('the second start takes less than 15 s, and Ctrl-C twice ends at once', async () => {
    const { child, said, output } = start('gateway');
    await said('Ready after');
    expect(Number(/Ready after ([\d.]+) s/.exec(output())?.[1])).toBeLessThan(15);
    child.kill('SIGINT');
    await said('Stopping');
    await new Promise((resolve) => setTimeout(resolve, 600)); // what comes sooner is npm passing on the same Ctrl-C
    child.kill('SIGINT');
    expect([0, 130]).toContain(await exitOf(child));
    expect(await until(async () => (await everythingStopped()).children.length === 0, 10_000)).toBe(true);
  });

  test('killed itself, it takes its processes along, and the next start works', async () => {
    const first = start('gateway');
    await first.said('Ready after');
    const children = livingChildren(dataDir);
    expect(children.length).toBeGreaterThanOrEqual(5);
    first.child.kill('SIGKILL');
    const second = start('gateway');
    await second.said('Ready after');
    expect(second.output()).toContain('Ready after');
    expect(children.filter(isRunning)).toEqual([]);

    const third = start('gateway');
    expect(await exitOf(third.child)).toBe(1);
    expect(third.output()).toContain(`A platform runs on ${dataDir} already (process ${second.child.pid})`);
    second.child.kill('SIGTERM');
    expect(await exitOf(second.child)).toBe(0);
    expect(await everythingStopped()).toEqual(NOTHING);
  });

  test('told to stop while it starts, it leaves nothing behind', async () => {
    const { child, said } = start('gateway');
    await said('Starting Temporal');
    child.kill('SIGTERM');
    expect(await exitOf(child)).toBe(1);
    expect(await everythingStopped()).toEqual(NOTHING);
  });

  test.each([
    ['an unknown name', ['bookings'], 'There is no bookings; there are all, gateway'],
    ['an unknown option', ['--fast'], 'There is no option --fast'],
  ])('%s is refused with what there is', async (_, args, sentence) => {
    const { child, output } = start(...args);
    expect(await exitOf(child)).toBe(1);
    expect(output()).toContain(sentence);
  });
});

describe('a running platform', () => {
  let platform: RunningPlatform;
  const said: string[] = [];

  beforeAll(async () => {
    platform = await startPlatform({
      settings,
      envFile: 'no-env-file-in-tests',
      names: ['gateway', 'tutoring'],
      isolated: true,
      say: (line) => said.push(line),
    });
  });
  afterAll(() => platform.stop());

  test.each(['postgres', 'temporal', 'mail', 'stripe-sandbox', 'tutoring', 'gateway'])(
    'gets %s back after kill -9, and works again',
    async (name) => {
      const before = platform.children().find((child) => child.name === name);
      expect(before).toMatchObject({ state: 'ready' });
      await platform.kill(name);
      const back = () =>
        platform
          .children()
          .some((child) => child.name === name && child.state === 'ready' && child.pid !== before?.pid);
      expect(await until(back, 30_000)).toBe(true);
      expect(said).toContain(`${name} ended (SIGKILL): starting it again`);
      const ready = async () => (await statusOf(`${platform.management.tutoring}/readyz`)) === 200;
      expect(await until(ready, 20_000)).toBe(true);
    },
  );

  test('has one management port for each process, and metrics are of that process alone', async () => {
    expect(Object.keys(platform.management)).toEqual(['gateway', 'tutoring']);
    expect(await statusOf(`http://127.0.0.1:${settings.TUTORING_PORT}/healthz`)).toBe(200);
    const text = await (await request(`${platform.management.tutoring}/metrics`)).body.text();
    expect(text).toContain('service="tutoring"');
    expect(text).not.toContain('service="gateway"');
  });

  test('a halted part stays down until it is resumed', async () => {
    await platform.halt('gateway');
    expect(await gatewayAnswers()).toBeUndefined();
    await platform.resume('gateway');
    expect(await gatewayAnswers()).toBe(200);
  });

  test('another one may run beside it on its own ports and folder, and a port in use is told with its setting', async () => {
    const other = temporaryDataDir();
    const clash = {
      ...settings,
      ...(await freePortSettings()),
      DATA_DIR: other,
      GATEWAY_PORT: settings.GATEWAY_PORT ?? '',
    };
    const options = { envFile: 'no-env-file-in-tests', names: ['gateway'] };
    await expect(startPlatform({ ...options, settings: clash })).rejects.toThrow(
      `Port ${settings.GATEWAY_PORT} is taken: stop what uses it, or set GATEWAY_PORT to another`,
    );
    const second = await startPlatform({ ...options, settings: { ...clash, ...(await freePortSettings()) } });
    expect(await statusOf(`${second.urls.gateway}/healthz`)).toBe(200);
    await second.stop();
    expect(await gatewayAnswers()).toBe(200);
    removeDataDir(other);
  });
});
