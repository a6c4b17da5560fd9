import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { SERVICE_NAMES, WORKER_NAMES } from '../dev/stack/process-plan';
import { missingPrograms, missingScripts, unknownCommands } from './support/named-scripts';
import { filesBelow, ROOT, textOf } from './support/repository';

const pages = filesBelow('.', (path) => path.endsWith('.md'));

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
const SOMEWHERE = /^(?:contract|events|routes|rules|store|client)(?:\/[\w-]+)?\.ts$|^secrets\.json$/;

function missingFiles(page: string): string[] {
  const named = [...textOf(page).matchAll(/`([^`\s]+)`/g)].map(([, name = '']) => name);
  return named.filter((name) => {
    if (!FILE.test(name) || SOMEWHERE.test(name) || name.startsWith('dist/')) return false;
    return ![resolve(ROOT, name), resolve(ROOT, dirname(page), name)].some((path) => existsSync(path));
  });
}

test('there is documentation to check', () => {
  expect(pages).toEqual(expect.arrayContaining(['README.md', 'CONTRIBUTING.md', 'docs/sagas/booking.md']));
  expect(pages.length).toBeGreaterThan(25);
});

test.each(pages)('every link of %s leads somewhere', (page) => {
  expect(brokenLinks(page)).toEqual([]);
});

test.each(pages)('every file and program that %s names exists', (page) => {
  expect([...missingFiles(page), ...missingPrograms(textOf(page))]).toEqual([]);
});

test.each(pages)('every npm script that %s names exists', (page) => {
  expect([...missingScripts(textOf(page)), ...unknownCommands(textOf(page))]).toEqual([]);
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
