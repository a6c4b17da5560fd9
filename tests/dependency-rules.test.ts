import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
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
  'scripts',
  'tests',
];

test('nobody imports what they may not, and the rules were shown every module', async () => {
  const { totalCruised, violations } = await cruise(ROOT, ...SOURCES, 'dist/workflows', 'dist/services');
  expect(violations.map(({ rule, from, to }) => `${rule.name}: ${from} → ${to}`)).toEqual([]);
  // The cruiser finds nothing and exits 0 where it cannot parse TypeScript.
  expect(totalCruised).toBeGreaterThan(200);
}, 60_000);

/** Per rule a file that breaks it: [rule, the file, what it imports]. */
const PLANTED: [rule: string, from: string, to: string][] = [
  ['product-needs-no-tooling', 'platform/a.ts', '../dev/tool'],
  ['kernel-is-pure', 'kernel/a.ts', '../platform/config'],
  ['workflows-stay-deterministic', 'workflows/a.ts', '../platform/config'],
  ['workflows-see-activities-as-types', 'dist/workflows/a.js', '../activities/booking'],
  ['activities-only-call-clients', 'activities/a.ts', '../services/booking/store'],
  ['services-do-not-import-each-other', 'services/booking/a.ts', '../payment/contract'],
  ['services-start-workflows-by-api', 'services/booking/b.ts', '../../workflows/booking'],
  ['a-context-owns-its-tables', 'services/booking/other.store.ts', '../../db/schema/payment'],
  ['only-the-store-touches-the-database', 'services/booking/routes.ts', '../../db/client'],
  ['rules-are-pure', 'services/booking/rules.ts', './store'],
  ['rules-see-contract-as-types', 'dist/services/booking/rules.js', './contract'],
  ['one-door-to-stripe', 'services/payment/a.ts', 'stripe'],
  ['one-door-to-mail', 'services/notification/a.ts', 'nodemailer'],
  ['platform-knows-no-context', 'platform/b.ts', '../services/booking/contract'],
  ['db-knows-nobody', 'db/a.ts', '../platform/config'],
  ['workers-reach-services-by-client', 'workers/a.ts', '../services/booking/store'],
  ['nobody-imports-the-entry-point', 'platform/c.ts', '../main'],
  ['no-circular', 'kernel/back.ts', './circle'],
  ['no-orphans', 'kernel/orphan.ts', ''],
];

/** What the planted files import; each innocent by itself. */
const INNOCENT: Record<string, string> = {
  'main.ts': '',
  'dev/tool.ts': '',
  'platform/config.ts': '',
  'services/booking/store.ts': '',
  'services/booking/contract.ts': '',
  'services/payment/contract.ts': '',
  'workflows/booking.ts': '',
  'db/schema/payment.ts': '',
  'db/client.ts': '',
  'kernel/circle.ts': "import './back';",
  'node_modules/stripe/index.js': '',
  'node_modules/nodemailer/index.js': '',
  'dist/activities/booking.js': '',
  'dist/services/booking/contract.js': '',
  'tsconfig.json': '{}',
};

test('every rule catches its planted violation', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'tutorconnect-rules-'));
  try {
    const plant = async (path: string, text: string) => {
      await mkdir(dirname(join(folder, path)), { recursive: true });
      await writeFile(join(folder, path), text);
    };
    for (const [path, text] of Object.entries(INNOCENT))
      await plant(path, text || (path.endsWith('.js') ? 'module.exports = {};' : 'export {};'));
    for (const [, from, to] of PLANTED) {
      const text = from.endsWith('.js') ? `require('${to}');` : to ? `import '${to}';` : 'export {};';
      await plant(from, text);
    }
    const { violations } = await cruise(
      folder,
      ...SOURCES.filter((name) => name !== 'scripts' && name !== 'tests'),
      'dist',
    );
    const caught = new Set(violations.map(({ rule, from }) => `${rule.name} ${from}`));
    for (const [rule, from] of PLANTED) expect(caught).toContain(`${rule} ${from}`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);

test('every rule has a planted violation', () => {
  const config: { forbidden: { name: string }[] } = require('../.dependency-cruiser.cjs');
  expect(PLANTED.map(([rule]) => rule).toSorted()).toEqual(config.forbidden.map(({ name }) => name).toSorted());
});
