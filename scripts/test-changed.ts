import { spawn } from 'node:child_process';
import { messageOf } from '../dev/machine/error-code';
import { sourcePath } from '../dev/machine/paths';
import { runCommand } from '../dev/machine/run-command';

// Runs the tests that a change can reach. Compiled: dist/scripts/test-changed.js.

const USAGE = `npm run test:changed [-- <commit>] [--list]

Runs the tests that can tell what has changed since <commit>, or since the last commit: committed, staged or not yet known to git.
  --list   only says which`;

const ROOT = sourcePath('.');

const PRODUCT = /^(main\.ts|(kernel|platform|db|workflows|activities|services|workers|dev)\/)/;

/** What reaches tests otherwise than by imports, and the file that all those tests import. */
const OTHER_WAYS = [
  // They run the compiled programs.
  { changed: new RegExp(`${PRODUCT.source}|^(patches/|package-lock\\.json)`), through: 'dev/processes/build-once.ts' },
  // They hand the workflows to a bundler by their path.
  { changed: /^(workflows|kernel)\//, through: 'tests/support/workflow-coverage.ts' },
];

/** Tests that read the project's own files, of whatever kind: they take seconds. */
const READERS = /^(tests|scripts)\/[^/]+\.test\.ts$/;
/** One of them makes a context in a copy of the project and takes a minute. */
const COPIES = 'tests/generators.test.ts';

/** @returns which of `tests` a change of `files` can reach */
export async function reachedBy(files: readonly string[], tests: readonly string[]): Promise<string[]> {
  if (files.length === 0) return [];
  const code = files.filter((file) => /\.(ts|js|cjs|json)$/.test(file));
  const through = OTHER_WAYS.filter(({ changed }) => files.some((file) => changed.test(file))).map(
    (way) => way.through,
  );
  const reached = new Set(await testsOf([...code, ...through]));
  const copies = files.some((file) => !file.endsWith('.md'));
  return tests.filter((test) => reached.has(test) || (READERS.test(test) && (test !== COPIES || copies)));
}

async function linesOf(command: string, args: string[]): Promise<string[]> {
  const lines: string[] = [];
  const onLine = (line: string, stream: 'stdout' | 'stderr') => void (stream === 'stdout' && lines.push(line));
  const { code, errors } = await runCommand(command, args, { cwd: ROOT, onLine });
  if (code !== 0) throw new Error(errors || lines.join('\n'));
  return lines.filter(Boolean);
}

/** The paths of all tests, or of those that import any of `files`. */
export async function testsOf(files?: readonly string[]): Promise<string[]> {
  if (files?.length === 0) return [];
  const related = files ? ['--findRelatedTests', ...files] : [];
  return (await linesOf('npx', ['jest', '--listTests', ...related])).map((path) => path.slice(ROOT.length + 1));
}

async function main(args: string[]): Promise<void> {
  const list = args.includes('--list');
  const [commit = 'HEAD', ...more] = args.filter((arg) => arg !== '--list');
  if (more.length > 0 || commit.startsWith('-')) throw new Error(USAGE);
  const changed = [
    ...(await linesOf('git', ['diff', '--name-only', '--diff-filter=d', commit, '--'])),
    ...(await linesOf('git', ['ls-files', '--others', '--exclude-standard'])),
  ];
  const tests = await reachedBy(changed, await testsOf());
  console.log(`${changed.length} files have changed since ${commit}; ${tests.length} test files can tell.`);
  if (list || tests.length === 0) return console.log(tests.join('\n'));
  const jest = spawn('npx', ['jest', '--runTestsByPath', ...tests], { cwd: ROOT, stdio: 'inherit' });
  process.exitCode = await new Promise<number>((resolve) => jest.once('close', (code) => resolve(code ?? 1)));
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(messageOf(error));
    process.exitCode = 1;
  });
}
