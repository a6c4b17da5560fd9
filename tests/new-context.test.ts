import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { freePortSettings } from '../dev/machine/ports';
import { runCommand } from '../dev/machine/run-command';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { filesBelow, ROOT, textOf } from './support/repository';
import { ask } from './support/service';

// What a newcomer does first: a context of their own, in a copy of the project.

jest.setTimeout(600_000);

/** How many files that are there a new context may change: each is one that two people would change at once. */
const MOST_CHANGED = 4;

const copy = mkdtempSync(join(tmpdir(), 'tutorconnect-new-context-'));
const files = filesBelow('.', () => true);
const children: ChildProcess[] = [];
const SECRET = 'only-for-tests-only-for-tests-only-for-tests';
let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;

beforeAll(async () => {
  for (const file of files) cpSync(join(ROOT, file), join(copy, file), { recursive: true });
  symlinkSync(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
  server = await startThrowawayPostgres();
});
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL');
  await server.stop();
  rmSync(copy, { recursive: true, force: true });
});

/** Runs a command in the copy to its end, outside this run of Jest. */
async function inCopy(command: string, args: string[], env: Record<string, string> = {}) {
  const { TEST_RUN: _, TEST_POSTGRES_URL: __, JEST_WORKER_ID: ___, ...own } = process.env;
  const { code, output } = await runCommand(command, args, { cwd: copy, env: { ...own, ...env } });
  return { code, output };
}
const make = (...args: string[]) => inCopy('npm', ['run', '-s', 'new-context', '--', ...args]);

test('a context that cannot be is refused with the reason, and nothing is made', async () => {
  expect(await make('booking')).toMatchObject({ code: 1, output: 'There is a context booking already' });
  expect(await make('study-group')).toMatchObject({ code: 1, output: expect.stringContaining('one word of a-z') });
  expect(await make('shop', '--path', 'tutors')).toMatchObject({
    code: 1,
    output: '/api/tutors leads to tutoring already: say another --path',
  });
  expect(await make('shop', '--colour', 'red')).toMatchObject({ code: 1, output: expect.stringContaining('--colour') });
  expect(await make()).toMatchObject({ code: 1, output: expect.stringContaining('npm run new-context -- <name>') });
  const changed = files.filter((file) => readFileSync(join(copy, file), 'utf8') !== textOf(file));
  expect(changed).toEqual([]);
});

test(`a new one changes at most ${MOST_CHANGED} files that were there`, async () => {
  const made = await make('shelf', '--module', 'library', '--path', 'shelves', '--about', 'What people keep');
  expect(made).toMatchObject({ code: 0, output: expect.stringContaining('http://127.0.0.1:8000/api/shelves') });
  const changed = files.filter((file) => readFileSync(join(copy, file), 'utf8') !== textOf(file));
  expect(changed.toSorted()).toEqual(['.env.example', 'README.md', 'docker-compose.temporal.yml', 'kernel/modules.ts']);
  expect(changed.length).toBeLessThanOrEqual(MOST_CHANGED);
});

test('it compiles, is written as the project is, and passes its own tests and those of every list', async () => {
  expect(await inCopy('npx', ['tsc', '--noEmit', '-p', 'tsconfig.json'])).toEqual({ code: 0, output: '' });
  const formatted = await inCopy('npx', [
    'biome',
    'check',
    '--vcs-enabled=false',
    'services/shelf',
    'db/schema',
    'kernel',
  ]);
  expect(formatted).toMatchObject({ code: 0 });
  const lists = ['checklists', 'docs', 'fingerprints', 'named-scripts', 'reference', 'rooms'];
  const suites = [
    'services/shelf',
    'kernel/modules',
    'scripts/compose-env',
    'scripts/env-example',
    'scripts/readme-lists',
  ];
  const { code, output } = await inCopy('npx', ['jest', '-i', ...suites, ...lists.map((name) => `tests/${name}.test`)]);
  expect({ code, output }).toMatchObject({ code: 0, output: expect.stringContaining(' passed, 0 failed') });
});

/** The compiled program of the copy. Resolves when it is ready, or with what it said when it ended before. */
async function start(names: string[], environment: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, [join(copy, 'dist/main.js'), ...names], {
    cwd: dirname(copy),
    env: { PATH: process.env.PATH ?? '', ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  let said = '';
  child.stderr.on('data', (text) => {
    said += String(text);
  });
  const ready = new Promise<string>((resolve) => {
    createInterface({ input: child.stdout }).on('line', (line) => line === 'ready' && resolve('ready'));
  });
  return Promise.race([ready, once(child, 'close').then(() => said)]);
}

test('it is migrated, started, routed and described; switched off it is not there', async () => {
  const environment: Record<string, string> = {
    ...(await freePortSettings()),
    LOG_LEVEL: 'warn',
    SERVICE_TOKEN_SECRET: SECRET,
    DATABASE_URL: server.url,
    DATABASE_ROLE_SECRET: SECRET,
  };
  const migrated = await inCopy(process.execPath, ['dist/db/migrate-all.js'], environment);
  expect(migrated).toMatchObject({ code: 0, output: expect.stringContaining('shelf: up to date') });
  expect(await start(['gateway', 'shelf'], environment)).toBe('ready');
  const gateway = `http://127.0.0.1:${environment.GATEWAY_PORT}`;
  expect(await ask(gateway, 'GET', '/api/shelves/1')).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  const { body } = await ask(gateway, 'GET', '/openapi.json');
  expect(Object.keys(body.paths)).toEqual(expect.arrayContaining(['/api/shelves', '/api/shelves/{id}']));
  expect(body.tags).toContainEqual({ name: 'shelf', description: 'What people keep' });

  const small: Record<string, string> = { ...environment, ...(await freePortSettings()), MODULES: 'core' };
  expect(await start(['gateway'], small)).toBe('ready');
  expect(await ask(`http://127.0.0.1:${small.GATEWAY_PORT}`, 'GET', '/api/shelves/1')).toMatchObject({
    status: 404,
    body: { code: 'module_off', detail: 'The module library is switched off here' },
  });
  expect(await start(['shelf'], { ...small, ...(await freePortSettings()) })).toContain('MODULES switches off shelf');
  const without = await inCopy(process.execPath, ['dist/db/migrate-all.js'], small);
  expect(without.output).toContain('payment: up to date');
  expect(without.output).not.toContain('shelf');
});
