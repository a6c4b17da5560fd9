import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUS_ROLES } from '../../db/roles';
import { DATABASE_CONTEXTS } from '../../kernel/modules';
import { readSettings } from './settings';

let folder: string;
let envFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tutorconnect-settings-'));
  envFile = join(folder, 'env');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (overrides: Record<string, string> = {}) => readSettings({ DATA_DIR: folder, ...overrides }, envFile);

test('without any setting everything is embedded and every secret is made', () => {
  const { config, embedded, environment, secrets } = read();
  expect(embedded).toEqual({ postgres: true, temporal: true, mail: true, stripe: true });
  expect(config.SERVICE_TOKEN_SECRET).toBe(secrets.SERVICE_TOKEN_SECRET);
  expect(environment).toMatchObject({ DATA_DIR: folder, STRIPE_WEBHOOK_SECRET: secrets.STRIPE_WEBHOOK_SECRET });
  expect(environment).not.toHaveProperty('POSTGRES_PASSWORD');
});

test('what a setting names is not embedded', () => {
  const { embedded } = read({
    DATABASE_URL: 'postgres://me@db.example/postgres',
    TEMPORAL_ADDRESS: 'temporal.example:7233',
    SMTP_URL: 'smtp://mail.example',
    STRIPE_SECRET_KEY: 'sk_test_123',
    STRIPE_PUBLISHABLE_KEY: 'pk_test_123',
  });
  expect(embedded).toEqual({ postgres: false, temporal: false, mail: false, stripe: false });
});

test('Postgres is embedded until every context has its own database, and the event bus one for each of its roles', () => {
  const names = [...DATABASE_CONTEXTS, 'bus', ...BUS_ROLES];
  const urls = names.map((name): [string, string] => [
    `${name.toUpperCase()}_DATABASE_URL`,
    'postgres://db.example/one',
  ]);
  expect(read(Object.fromEntries(urls)).embedded.postgres).toBe(false);
  for (const one of urls)
    expect(read(Object.fromEntries(urls.filter((other) => other !== one))).embedded.postgres).toBe(true);
});

test('an override wins over .env, an empty one takes its value away, and children get all of them', () => {
  writeFileSync(envFile, 'GATEWAY_PORT=9000\nBOOKING_PORT=9003\nTEMPORAL_ADDRESS=temporal.example:7233\n');
  const { config, environment, embedded } = read({ GATEWAY_PORT: '9100', TEMPORAL_ADDRESS: '' });
  expect(config.servicePort).toMatchObject({ gateway: 9100, booking: 9003 });
  expect(embedded.temporal).toBe(true);
  expect(environment).toMatchObject({ GATEWAY_PORT: '9100', BOOKING_PORT: '9003' });
  expect(environment).not.toHaveProperty('TEMPORAL_ADDRESS');
});

test('the connection string of the database administrator reaches no child', () => {
  const { config, environment } = read({ DATABASE_URL: 'postgres://admin:secret@db.example/postgres' });
  expect(config.DATABASE_URL).toContain('admin');
  expect(JSON.stringify(environment)).not.toContain('admin:secret');
});

test('settings that cannot be used are named before anything is made', () => {
  writeFileSync(envFile, 'GATEWAY_PROT=1\n');
  const dataDir = join(folder, 'new');
  expect(() => read({ DATA_DIR: dataDir, TEMPORAL_PORT: 'x' })).toThrow(/GATEWAY_PROT.*\n.*TEMPORAL_PORT/);
  expect(existsSync(dataDir)).toBe(false);
});
