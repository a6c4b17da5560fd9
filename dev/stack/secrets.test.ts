import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readOrMakeSecrets } from './secrets';

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tutorconnect-secrets-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('secrets are made once, differ from each other, and only their owner can read them', () => {
  const first = readOrMakeSecrets(folder);
  expect(readOrMakeSecrets(folder)).toEqual(first);
  expect(new Set(Object.values(first)).size).toBe(8);
  expect(first.STRIPE_WEBHOOK_SECRET).toMatch(/^whsec_[\w-]{43}$/);
  expect(first.STRIPE_CONNECT_WEBHOOK_SECRET).toMatch(/^whsec_[\w-]{43}$/);
  expect(statSync(join(folder, 'secrets.json')).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(['secrets.json']);
});

test('two data folders have nothing in common', () => {
  const [one, two] = ['one', 'two'].map((name) => readOrMakeSecrets(join(folder, name)));
  expect(new Set([...Object.values(one ?? {}), ...Object.values(two ?? {})]).size).toBe(16);
});

test.each(['', '{', '{"SERVICE_TOKEN_SECRET":"short"}'])('a damaged file (%j) is named with the way out', (content) => {
  const file = join(folder, 'secrets.json');
  writeFileSync(file, content);
  expect(() => readOrMakeSecrets(folder)).toThrow(`${file} is damaged: delete it`);
});

test('a folder from before Connect had a secret of its own keeps its others, and every reading finds the same new one', () => {
  const { STRIPE_CONNECT_WEBHOOK_SECRET: _, ...before } = readOrMakeSecrets(folder);
  writeFileSync(join(folder, 'secrets.json'), JSON.stringify(before));
  const after = readOrMakeSecrets(folder);
  expect(after).toEqual({ ...before, STRIPE_CONNECT_WEBHOOK_SECRET: expect.stringMatching(/^whsec_[\w-]{43}$/) });
  expect(after.STRIPE_CONNECT_WEBHOOK_SECRET).not.toBe(after.STRIPE_WEBHOOK_SECRET);
  expect(readOrMakeSecrets(folder)).toEqual(after);
});

test('a folder from before there were secrets to seal with keeps its others, and every reading finds the same new ones', () => {
  const {
    IDENTITY_KEY_SECRET: _,
    NOTIFICATION_KEY_SECRET: __,
    PAYMENT_KEY_SECRET: ___,
    ...before
  } = readOrMakeSecrets(folder);
  const file = join(folder, 'secrets.json');
  writeFileSync(file, JSON.stringify(before));
  const after = readOrMakeSecrets(folder);
  const secret = expect.stringMatching(/^[\w-]{43}$/);
  expect(after).toEqual({
    ...before,
    IDENTITY_KEY_SECRET: secret,
    NOTIFICATION_KEY_SECRET: secret,
    PAYMENT_KEY_SECRET: secret,
  });
  expect(new Set(Object.values(after)).size).toBe(Object.values(after).length);
  expect(readOrMakeSecrets(folder)).toEqual(after);
  expect(JSON.parse(readFileSync(file, 'utf8'))).toEqual(before);
});

test('a data folder made here lets others pass but not look', () => {
  const made = join(folder, 'deep', 'data');
  readOrMakeSecrets(made);
  expect(statSync(made).mode & 0o777).toBe(0o711);
});
