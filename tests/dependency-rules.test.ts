import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';

const ROOT = join(__dirname, '..');
const run = promisify(execFile);

interface Report {
  summary: { totalCruised: number; violations: { rule: { name: string }; from: string; to: string }[] };
}

async function cruise(cwd: string, ...folders: string[]): Promise<Report['summary']> {
  const cli = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
  const args = [cli, '--config', join(ROOT, '.dependency-cruiser.cjs'), '--output-type', 'json', ...folders];
  const { stdout } = await run(process.execPath, args, { cwd, maxBuffer: 256 * 1024 * 1024 });
  const report: Report = JSON.parse(stdout);
  return report.summary;
}

const SOURCES = [
  'main.ts',
  'kernel',
  'platform',
  'db',
  'workflows',
  'activities',
  'services',
  'workers',
  'dev',
  'bench',
  'scripts',
  'tests',
];

test('nobody imports what they may not, and the rules were shown every module', async () => {
  const { totalCruised, violations } = await cruise(ROOT, ...SOURCES, 'dist/workflows', 'dist/services');
  expect(violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`)).toEqual([]);
  // The cruiser finds nothing and exits 0 where it cannot parse TypeScript.
  expect(totalCruised).toBeGreaterThan(200);
}, 60_000);

/** Every place that a room of a context can have: a file, a folder of its name, and both of a capability. */
const places = (context: string, room: string) => [
  `services/${context}/${room}.ts`,
  `services/${context}/${room}/hours.ts`,
  `services/${context}/ledger/${room}.ts`,
  `services/${context}/ledger/${room}/hours.ts`,
];
const compiled = (path: string) => `dist/${path.replace(/ts$/, 'js')}`;

/** Per rule the files that break it, each by what it imports: [rule, files, imported]. */
const PLANTED: [rule: string, from: string[], to: string | string[]][] = [
  ['dev-machine-imports-downward', ['dev/machine/a.ts'], ['dev/processes/b.ts', 'dev/top.ts']],
  ['dev-processes-imports-downward', ['dev/processes/a.ts'], 'dev/postgres/b.ts'],
  ['dev-postgres-temporal-imports-downward', ['dev/postgres/a.ts', 'dev/temporal/a.ts'], 'dev/stack/b.ts'],
  ['dev-stack-imports-downward', ['dev/stack/a.ts'], ['dev/top.ts', 'dev/chaos/b.ts']],
  ['sandbox-memory-imports-downward', ['dev/stripe-sandbox/memory/a.ts'], 'dev/stripe-sandbox/wire/b.ts'],
  ['sandbox-wire-imports-downward', ['dev/stripe-sandbox/wire/a.ts'], 'dev/stripe-sandbox/objects/b.ts'],
  ['sandbox-objects-imports-downward', ['dev/stripe-sandbox/objects/a.ts'], 'dev/stripe-sandbox/world/b.ts'],
  ['sandbox-world-imports-downward', ['dev/stripe-sandbox/world/a.ts'], 'dev/stripe-sandbox/server.ts'],
  ['product-needs-no-tooling', ['platform/a.ts'], ['dev/tool.ts', 'dev/machine/tool.ts', 'bench/tool.ts']],
  ['kernel-is-pure', ['kernel/a.ts'], 'platform/config.ts'],
  ['workflows-stay-deterministic', ['workflows/a.ts'], 'platform/config.ts'],
  ['workflows-see-activities-as-types', ['dist/workflows/a.js'], 'dist/activities/booking.js'],
  ['activities-only-call-clients', ['activities/a.ts'], places('booking', 'store')],
  [
    'services-do-not-import-each-other',
    [...places('review', 'contract'), ...places('review', 'routes'), ...places('review', 'store')],
    [...places('booking', 'contract'), ...places('booking', 'store'), 'services/booking/ledger/events.ts'],
  ],
  [
    'events-are-made-of-building-blocks',
    ['services/review/events.ts', 'services/review/events/hours.ts'],
    [
      ...['db/client.ts', 'db/schema/review.ts', 'platform/outbox.ts', 'platform/schemas.ts', 'express'],
      ...['contract', 'store', 'routes'].map((room) => `services/review/${room}.ts`),
      'services/booking/events.ts',
    ],
  ],
  ['services-start-workflows-by-api', places('review', 'routes'), 'workflows/booking.ts'],
  ['a-context-owns-its-tables', places('review', 'store'), 'db/schema/payment.ts'],
  [
    'only-the-store-touches-the-database',
    [...places('review', 'routes'), ...places('review', 'rules')],
    'db/client.ts',
  ],
  ['rules-are-pure', places('booking', 'rules'), places('booking', 'store')],
  [
    'rules-see-contract-and-events-as-types',
    places('booking', 'rules').map(compiled),
    [...places('booking', 'contract'), 'services/booking/events.ts'].map(compiled),
  ],
  ['one-door-to-stripe', ['services/payment/a.ts', 'services/payment/stripe/attempt.ts'], 'stripe'],
  ['one-door-to-mail', ['services/notification/a.ts', 'services/notification/delivery/send.ts'], 'nodemailer'],
  ['one-door-to-providers', ['services/identity/a.ts', 'services/identity/oidc/store/a.ts'], 'openid-client'],
  ['platform-knows-no-context', ['platform/b.ts'], places('booking', 'contract')],
  ['db-knows-nobody', ['db/a.ts'], 'platform/config.ts'],
  ['workers-reach-services-by-client', ['workers/a.ts'], places('booking', 'store')],
  ['nobody-imports-the-entry-point', ['platform/c.ts'], 'main.ts'],
  ['no-circular', ['kernel/back.ts', 'bench/back.ts'], []],
  ['no-orphans', ['kernel/orphan.ts'], []],
];

/** What breaks no rule, wherever the rooms stand: the rules must let it pass. */
const ALLOWED: [from: string[], to: string | string[]][] = [
  [['activities/b.ts'], [...places('payment', 'client'), ...places('payment', 'contract')]],
  [places('payment', 'store'), ['db/schema/payment.ts', 'db/client.ts']],
  [places('payment', 'rules'), [...places('payment', 'contract'), 'services/payment/events.ts', 'kernel/money.ts']],
  [
    ['dev/stack/c.ts'],
    ['dev/machine/b.ts', 'dev/processes/b.ts', 'dev/temporal/b.ts', 'dev/stack/b.ts', 'platform/config.ts'],
  ],
  [['dev/stripe-sandbox/world/c.ts'], ['dev/stripe-sandbox/objects/b.ts', 'dev/stripe-sandbox/memory/b.ts']],
  [
    [...places('review', 'routes'), ...places('review', 'store')],
    ['services/booking/events.ts', 'services/booking/events/hours.ts'],
  ],
  [
    ['services/payment/events.ts', 'services/payment/events/hours.ts'],
    ['kernel/statuses.ts', 'platform/event-schema.ts', 'services/payment/events/money.ts', 'zod'],
  ],
  [['services/payment/stripe/door/index.ts'], 'stripe'],
  [['services/notification/mailer.ts'], 'nodemailer'],
  [['services/identity/oidc/door.ts'], 'openid-client'],
];

/** What the planted files import; each innocent by itself, and imported by somebody. */
const INNOCENT: Record<string, string> = {
  'node_modules/stripe/index.js': 'module.exports = {};',
  'node_modules/nodemailer/index.js': 'module.exports = {};',
  'node_modules/openid-client/index.js': 'module.exports = {};',
  'node_modules/express/index.js': 'module.exports = {};',
  'node_modules/zod/index.js': 'module.exports = {};',
  'kernel/circle.ts': "import './back';",
  'bench/circle.ts': "import './back';",
  'tsconfig.json': '{}',
};

/** The files to plant, with the statements that each consists of. */
function plantation(): Map<string, string> {
  const files = new Map(Object.entries(INNOCENT));
  const add = (path: string, statement: string) => files.set(path, `${files.get(path) ?? ''}${statement}\n`);
  const imports = (from: string, to: string) => {
    const isPackage = !to.includes('/') && !to.endsWith('.ts');
    const path = relative(dirname(from), to).replace(/\.[tj]s$/, '');
    const specifier = isPackage ? to : path.startsWith('.') ? path : `./${path}`;
    add(from, from.endsWith('.js') ? `require('${specifier}');` : `import '${specifier}';`);
    if (!isPackage && !files.has(to)) files.set(to, to.endsWith('.js') ? 'module.exports = {};' : 'export {};');
  };
  for (const [from, to] of [...PLANTED.map(([, from, to]) => [from, to] as const), ...ALLOWED])
    for (const file of from) for (const target of [to].flat()) imports(file, target);
  for (const file of ['kernel/back.ts', 'bench/back.ts']) add(file, "import './circle';");
  add('kernel/orphan.ts', 'export {};');
  return files;
}

test('every rule catches its planted violations, wherever the room stands, and nothing that is allowed', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tutorconnect-rules-'));
  try {
    for (const [path, text] of plantation()) {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    }
    const { violations } = await cruise(
      folder,
      ...SOURCES.filter((name) => name !== 'scripts' && name !== 'tests'),
      'dist',
    );
    const caught = new Set(violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`));
    const missed = PLANTED.flatMap(([rule, from, to]) =>
      from.flatMap((file) =>
        [to]
          .flat()
          .filter((target) => !found(caught, `${rule}: ${file} → `, target))
          .map((target) => `${rule}: ${file} → ${target}`),
      ),
    );
    expect(missed).toEqual([]);
    for (const rule of ['no-circular', 'no-orphans'])
      for (const file of PLANTED.find(([name]) => name === rule)?.[1] ?? [])
        expect([...caught].filter((line) => line.startsWith(`${rule}: ${file}`))).toHaveLength(1);
    const wronged = ALLOWED.flatMap(([from, to]) =>
      from.flatMap((file) =>
        [to]
          .flat()
          .filter((target) =>
            [...caught].some((line) => found(new Set([line]), `${line.split(':')[0]}: ${file} → `, target)),
          ),
      ),
    );
    expect(wronged).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);

/** A package is reported by its file below node_modules. */
function found(caught: ReadonlySet<string>, start: string, target: string): boolean {
  return [...caught].some((line) => line === `${start}${target}` || line.startsWith(`${start}node_modules/${target}/`));
}

test('every rule has a planted violation', () => {
  const config: { forbidden: { name: string }[] } = require('../.dependency-cruiser.cjs');
  expect(PLANTED.map(([rule]) => rule).toSorted()).toEqual(config.forbidden.map(({ name }) => name).toSorted());
});
