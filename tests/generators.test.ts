import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import postgres from 'postgres';
import { busUrl } from '../db/roles';
import { freePortSettings } from '../dev/machine/ports';
import { runCommand } from '../dev/machine/run-command';
import { startThrowawayPostgres } from '../dev/postgres/throwaway';
import { buildOnce } from '../dev/processes/build-once';
import { eventually } from './support/platform';
import { filesBelow, ROOT, textOf } from './support/repository';
import { ask } from './support/service';

// What a newcomer does first: a context of their own, a saga of it and a mail, in a copy of the project.

jest.setTimeout(600_000);

/** How many files that are there a new context, saga or mail may change: each is one that two people would change at once. */
const MOST_CHANGED = 4;

const copy = mkdtempSync(join(tmpdir(), 'tutorconnect-generators-'));
const files = filesBelow('.', () => true);
const children: ChildProcess[] = [];
const SECRET = 'only-for-tests-only-for-tests-only-for-tests';
let server: Awaited<ReturnType<typeof startThrowawayPostgres>>;
/** The files of the copy as they were before the thing that is made. */
const before = new Map(files.map((file) => [file, textOf(file)]));

beforeAll(async () => {
  for (const file of files) cpSync(join(ROOT, file), join(copy, file), { recursive: true });
  await buildOnce();
  const isLock = (path: string) => path.includes('build.lock');
  cpSync(join(ROOT, 'dist'), join(copy, 'dist'), { recursive: true, filter: (path) => !isLock(path) });
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
/** As `npm run <generator>` does after its build. */
const make = (generator: string, ...args: string[]) =>
  inCopy(process.execPath, [`dist/scripts/${generator}.js`, ...args]);

/** The files that were there and are different; from now on they are as they are. */
function changedFiles(): string[] {
  return files.filter((file) => {
    const text = readFileSync(join(copy, file), 'utf8');
    const changed = text !== before.get(file);
    before.set(file, text);
    return changed;
  });
}

test.each([
  ['new-context', 'npm run new-context -- <name>'],
  ['new-saga', 'npm run new-saga -- <name> --context <context>'],
  ['new-mail', 'npm run new-mail -- <name> --about <facts>'],
])('%s builds first, and says what it takes when it is told nothing', async (generator, usage) => {
  expect(textOf('package.json')).toContain(`"${generator}": "npm run -s build && node dist/scripts/${generator}.js"`);
  expect(await make(generator)).toMatchObject({ code: 1, output: expect.stringContaining(usage) });
});

describe.each([
  [
    'new-context',
    [
      ['There is a context booking already', 'booking'],
      ['bus names the database of the event bus', 'bus'],
      ['one word of a-z', 'study-group'],
      ['/api/tutors leads to tutoring already: say another --path', 'shop', '--path', 'tutors'],
      ['--colour', 'shop', '--colour', 'red'],
    ],
  ],
  [
    'new-saga',
    [
      ['There is a saga refund already', 'refund', '--context', 'payment'],
      ['Say whose saga it is: --context', 'loan'],
      ['words of a-z that are joined by -, not Loan', 'Loan', '--context', 'payment'],
      ['workflows/duties.ts is there already', 'duties', '--context', 'payment'],
      ['no services/payment/contract.ts: a saga is made for contexts as new-context', 'loan', '--context', 'payment'],
    ],
  ],
  [
    'new-mail',
    [
      ['There is a mail password_reset already', 'password_reset'],
      ['Say what it is about: --about booking', 'shelf_lent', '--about', 'constructor'],
      ['Say the words of the mail: --subject', 'shelf_lent', '--about', 'page'],
      ['which has none', 'shelf_lent', '--about', 'page', '--subject', 'Lent to {{other}}'],
      ['is not named shelf_lent', 'shelf_lent', '--about', 'booking'],
      ['not with a name', 'booking_seen', '--about', 'booking', '--subject', '{{other}} has seen it', '--text', 'So.'],
      ['full stop', 'shelf_lent', '--about', 'page', '--subject', 'Somebody has it', '--text', 'Well'],
      ['--kind is account or payment', 'shelf_lent', '--about', 'page', '--kind', 'reminder'],
    ],
  ],
])('%s', (generator, refusals) => {
  test.each(refusals)('says %s, and makes nothing', async (reason, ...args) => {
    expect(await make(generator, ...args)).toMatchObject({ code: 1, output: expect.stringContaining(reason) });
    expect(changedFiles()).toEqual([]);
  });
});

test.each([
  [
    'context',
    ['shelf', '--module', 'library', '--path', 'shelves', '--about', 'What people keep'],
    'http://127.0.0.1:8000/api/shelves',
    ['.env.example', 'README.md', 'docker-compose.temporal.yml', 'kernel/modules.ts'],
  ],
  [
    'saga',
    ['loan', '--context', 'shelf'],
    'POST /api/shelves/{id}/loans',
    ['README.md', 'docker-compose.temporal.yml', 'kernel/modules.ts', 'workflows/index.ts'],
  ],
  [
    'mail',
    ['shelf_lent', '--about', 'page', '--subject', 'Your shelf was lent', '--text', "Somebody has what's yours."],
    "template: 'shelf_lent'",
    ['contract.ts', 'rules.ts', 'templates/messages.ts'].map((file) => `services/notification/${file}`),
  ],
])(`a new %s changes at most ${MOST_CHANGED} files that were there`, async (kind, args, says, expected) => {
  expect(await make(`new-${kind}`, ...args)).toMatchObject({ code: 0, output: expect.stringContaining(says) });
  expect(changedFiles().toSorted()).toEqual(expected);
  expect(expected.length).toBeLessThanOrEqual(MOST_CHANGED);
});

test('all of it compiles, is written as the project is, and passes its own tests and those of every list', async () => {
  // The tests too, and into `dist`, from which it is started below.
  expect(await inCopy('npx', ['tsc', '-p', 'tsconfig.json'])).toEqual({ code: 0, output: '' });
  const made = filesBelow('.', (file) => file.endsWith('.ts'), copy).filter((file) => !files.includes(file));
  const written = [...made, 'kernel', 'workflows', 'services/notification'];
  expect(await inCopy('npx', ['biome', 'check', '--vcs-enabled=false', ...written])).toMatchObject({ code: 0 });
  const suites = [
    ...['services/shelf', 'services/notification/(templates|rules)', 'workflows/(loan|api)', 'kernel/modules'],
    ...['compose-env', 'compose-services', 'env-example', 'readme-lists'].map((name) => `scripts/${name}`),
    ...[
      'checklists',
      'docs',
      'event-schemas',
      'fingerprints',
      'named-scripts',
      'reference',
      'rooms',
      'undo-scenes',
    ].map((name) => `tests/${name}.test`),
  ];
  const { code, output } = await inCopy('npx', ['jest', '-i', ...suites]);
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

test('it is migrated, started, routed, described and has a topic; switched off it is not there', async () => {
  const environment: Record<string, string> = {
    ...(await freePortSettings()),
    LOG_LEVEL: 'warn',
    SERVICE_TOKEN_SECRET: SECRET,
    DATABASE_URL: server.url,
    DATABASE_ROLE_SECRET: SECRET,
  };
  const migrated = await inCopy(process.execPath, ['dist/db/migrate-all.js'], environment);
  expect(migrated).toMatchObject({ code: 0, output: expect.stringMatching(/bus: up to date.*shelf: up to date/s) });
  expect(await start(['gateway', 'shelf'], environment)).toBe('ready');
  const bus = postgres(busUrl(server.url, 'bus_reader', SECRET), { max: 1 });
  const held = () => bus`select from topics where name = 'shelf.events' and leased_until > now()`;
  await eventually('its relay has the lease of its topic', async () => (await held()).length === 1);
  await bus.end();
  const gateway = `http://127.0.0.1:${environment.GATEWAY_PORT}`;
  expect(await ask(gateway, 'GET', '/api/shelves/1')).toMatchObject({ status: 401, body: { code: 'unauthenticated' } });
  const { body } = await ask(gateway, 'GET', '/openapi.json');
  expect(Object.keys(body.paths)).toEqual(
    expect.arrayContaining(['/api/shelves', '/api/shelves/{id}', '/api/shelves/{id}/loans']),
  );
  expect(body.tags).toContainEqual({ name: 'shelf', description: 'What people keep' });
  const events = await ask(gateway, 'GET', '/asyncapi.json');
  expect(Object.keys(events.body.channels['shelf.events'].messages)).toContain('ShelfCreated');

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
