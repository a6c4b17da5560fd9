import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SERVICE_NAMES, WORKER_NAMES } from '../dev/stack/process-plan';

const ROOT = join(__dirname, '..');
const SKIPPED = new Set(['node_modules', 'dist', 'coverage', '.git', '.data']);

const pages = markdownBelow('.');
const scripts: Record<string, string> = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')).scripts;

function markdownBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : markdownBelow(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

const textOf = (page: string) => readFileSync(join(ROOT, page), 'utf8');
const withoutCode = (text: string) => text.replaceAll(/^ *```[\s\S]*?^ *```/gm, '').replaceAll(/`[^`\n]*`/g, '');

/** The anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(page: string): Set<string> {
  const headings = [...textOf(page).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replaceAll(/[^\p{L}\p{N}_ -]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}

function brokenLinks(page: string): string[] {
  const links = [...withoutCode(textOf(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target);
  return links.filter((link) => {
    if (/^[a-z]+:/.test(link)) return false;
    const [path = '', anchor] = link.split('#');
    const target = path === '' ? page : join(dirname(page), path);
    if (!existsSync(join(ROOT, target))) return true;
    return anchor !== undefined && !anchorsOf(target).has(anchor);
  });
}

// `workflows/booking.ts`, `docker-compose.temporal.yml`: a file's name with at least one letter of extension. What a
// placeholder, a build or a person makes does not exist in the sources.
const FILE = /^[\w.-]+(?:\/[\w.-]+)*\.(?:ts|js|json|md|yml|sql|example)$/;
const SOMEWHERE = /^(?:contract|routes|rules|store|client)(?:\/[\w-]+)?\.ts$|^secrets\.json$/;

function missingFiles(page: string): string[] {
  const named = [...textOf(page).matchAll(/`([^`\s]+)`/g)].map(([, name = '']) => name);
  return named.filter((name) => {
    if (!FILE.test(name) || SOMEWHERE.test(name) || name.startsWith('dist/')) return false;
    return ![resolve(ROOT, name), resolve(ROOT, dirname(page), name)].some((path) => existsSync(path));
  });
}

/** `node dist/…/x.js` is compiled from `…/x.ts`. */
function missingPrograms(page: string): string[] {
  return [...textOf(page).matchAll(/\bdist\/([\w/.-]+)\.js\b/g)]
    .map(([, name = '']) => `${name}.ts`)
    .filter((name) => !existsSync(join(ROOT, name)));
}

function missingScripts(page: string): string[] {
  const named = [...textOf(page).matchAll(/\bnpm (?:run )?(?:-s )?([a-z][a-z:-]*)/g)];
  const builtIn = new Set(['ci', 'install', 'start', 'test', 'run']);
  return named
    .map(([whole, name = '']) => ({ name, run: whole.includes('run ') }))
    .filter(({ name, run }) => (run || name === 'start' || name === 'test' ? !(name in scripts) : !builtIn.has(name)))
    .map(({ name }) => name);
}

test('there is documentation to check', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/sagas/booking.md']));
  expect(pages.length).toBeGreaterThan(25);
});

test.each(pages)('every link of %s leads somewhere', (page) => {
  expect(brokenLinks(page)).toEqual([]);
});

test.each(pages)('every file and program that %s names exists', (page) => {
  expect([...missingFiles(page), ...missingPrograms(page)]).toEqual([]);
});

test.each(pages)('every npm script that %s names exists', (page) => {
  expect(missingScripts(page)).toEqual([]);
});

test('the README names every service and every worker', () => {
  const text = textOf('README.md');
  expect([...SERVICE_NAMES, ...WORKER_NAMES].filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
});

test('every decision is listed under its title and number, and every saga has its page', () => {
  const decisions = readdirSync(join(ROOT, 'docs/decisions')).filter((name) => /^\d{4}-/.test(name));
  const index = textOf('docs/decisions/README.md');
  const titled = decisions.filter((name) => {
    const [, number, title] = /^# (\d+)\. (.*)$/m.exec(textOf(join('docs/decisions', name))) ?? [];
    return index.includes(`- [${number}. ${title}](${name})`) && Number(name.slice(0, 4)) === Number(number);
  });
  expect(titled).toEqual(decisions);
  const sagas = readFileSync(join(ROOT, 'workflows/index.ts'), 'utf8').matchAll(/from '\.\/([\w-]+)'/g);
  const undocumented = [...sagas]
    .map(([, name]) => name)
    .filter((name) => !existsSync(join(ROOT, `docs/sagas/${name}.md`)));
  expect(undocumented).toEqual([]);
});

test('no picture is larger than a page should load', () => {
  const pictures = readdirSync(join(ROOT, 'docs/images'));
  expect(pictures.length).toBeGreaterThan(0);
  for (const name of pictures) expect(statSync(join(ROOT, 'docs/images', name)).size).toBeLessThan(400_000);
});
