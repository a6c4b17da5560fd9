import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { temporalBinary } from './binary';

let cache: string;
let tried: string[];
let said: string[];

beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'tutorconnect-cache-'));
  tried = [];
  said = [];
});
afterEach(() => rmSync(cache, { recursive: true, force: true }));

/** A program that says it is the Temporal CLI with this server. */
function program(path: string, server: string): string {
  writeFileSync(path, `#!/bin/sh\necho "temporal version 1.0.0 (Server ${server}, UI 2.0.0)"\n`, { mode: 0o755 });
  return path;
}

/** Sources of which only those named work. */
const find = (working: { path?: string; download?: boolean; build?: boolean }) =>
  temporalBinary((line) => said.push(line), {
    cache: join(cache, 'bin'),
    onPath: async () => working.path,
    async download(into) {
      tried.push('download');
      if (working.download) program(join(into, 'temporal'), '1.30.0');
      return working.download ?? false;
    },
    async build(into) {
      tried.push('build');
      if (!working.build) throw new Error('no Go here');
      program(join(into, 'temporal'), '1.29.1');
    },
  });

test('one on PATH is used when its server is recent enough', async () => {
  const path = program(join(cache, 'temporal'), '1.28.0');
  expect(await find({ path })).toBe(path);
});

test.each(['1.27.9', '0.31.0', 'unknown'])(
  'one on PATH with server %s is passed over, and a line says so',
  async (version) => {
    const path = program(join(cache, 'temporal'), version);
    expect(await find({ path, download: true })).toBe(join(cache, 'bin', 'temporal'));
    expect(said.join()).toMatch(/too old: looking for another/);
  },
);

test('one in the cache comes before anything that takes long', async () => {
  mkdirSync(join(cache, 'bin'));
  const cached = program(join(cache, 'bin', 'temporal'), '1.29.1');
  expect(await find({ download: true, build: true })).toBe(cached);
  expect(tried).toEqual([]);
});

test('one in the cache that is too old is replaced', async () => {
  mkdirSync(join(cache, 'bin'));
  program(join(cache, 'bin', 'temporal'), '1.20.0');
  await find({ build: true });
  expect(tried).toEqual(['download', 'build']);
});

test('a download is tried before building, and what was got is kept', async () => {
  expect(await find({ download: true, build: true })).toBe(join(cache, 'bin', 'temporal'));
  expect(tried).toEqual(['download']);
  expect(readdirSync(join(cache, 'bin'))).toEqual(['temporal']);
});

test('asked for ten times at once it is built once', async () => {
  const found = await Promise.all(Array.from({ length: 10 }, () => find({ build: true })));
  expect(new Set(found)).toEqual(new Set([join(cache, 'bin', 'temporal')]));
  expect(tried).toEqual(['download', 'build']);
  expect(existsSync(join(cache, 'bin', 'temporal'))).toBe(true);
});

test('what failed leaves nothing behind and is tried again the next time', async () => {
  await expect(find({})).rejects.toThrow('no Go here');
  expect(readdirSync(join(cache, 'bin'))).toEqual([]);
  await find({ build: true });
  expect(tried).toEqual(['download', 'build', 'download', 'build']);
});
