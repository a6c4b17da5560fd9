import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { BUS_ROLES, busUrl as busUrlOf, ownerUrl } from '../db/roles';
import { CONTEXT_NAMES, contextOf, DATABASE_CONTEXTS } from '../kernel/modules';
import { ConfigError, loadConfig } from './config';
import { listSettings } from './settings';

const SECRET = 's'.repeat(32);
const NO_FILE = 'no-env-file-in-tests';
const load = (environment: Record<string, string> = {}, file = NO_FILE) =>
  loadConfig({ SERVICE_TOKEN_SECRET: SECRET, ...environment }, file);

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tutorconnect-config-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

function envFile(content: string): string {
  const path = join(folder, '.env');
  writeFileSync(path, content);
  return path;
}

function complaints(environment: Record<string, string>, file = NO_FILE): string {
  try {
    loadConfig(environment, file);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  return '';
}

test('with nothing but the secret everything is on this machine', () => {
  const config = load();
  expect(config).toMatchObject({
    NODE_ENV: 'development',
    HOST: '127.0.0.1',
    DATA_DIR: resolve('.data'),
    PUBLIC_URL: 'http://127.0.0.1:8000',
    TEMPORAL_ADDRESS: '127.0.0.1:7233',
    TEMPORAL_UI_URL: 'http://127.0.0.1:8233',
    STRIPE_API_BASE: 'http://127.0.0.1:8420',
    STRIPE_PUBLISHABLE_KEY: 'pk_test_sandbox',
    STRIPE_SCRIPT_URL: 'http://127.0.0.1:8420/stripe.js',
    SMTP_URL: 'smtp://127.0.0.1:8425',
    PLATFORM_FEE_PERCENT: 15,
    SETTLEMENT_CURRENCIES: ['EUR', 'GBP', 'USD'],
    RATE_LIMIT_API: 600,
    RATE_LIMIT_LOGIN: 10,
    RATE_LIMIT_LOGIN_ADDRESS: 30,
    RATE_LIMIT_LOGIN_FAILURES: 100,
    RATE_LIMIT_REGISTER: 10,
    RATE_LIMIT_RESET_ADDRESS: 10,
    CORS_ORIGINS: [],
    TRUSTED_PROXIES: [],
  });
  for (const name of CONTEXT_NAMES) expect(config.serviceUrl[name]).toBe(`http://127.0.0.1:${contextOf(name).port}`);
  for (const name of DATABASE_CONTEXTS) expect(config.databaseUrl[name]).toBeUndefined();
});

test('modules are switched on by name, core always', () => {
  expect([...load({}).contexts]).toEqual(CONTEXT_NAMES);
  expect([...load({ MODULES: ' core ' }).contexts]).toEqual(expect.arrayContaining(['gateway', 'booking']));
  expect(() => load({ MODULES: 'core, shops' })).toThrow(/MODULES cannot be used: There is no shops, only core/);
});

describe("a context's database", () => {
  const DATABASE_URL = 'postgres://root:pw@db.example:5432/postgres';
  const given = 'postgres://booking:x@elsewhere/booking_db';

  test('is derived from the server and the secret of roles', () => {
    const { databaseUrl } = load({ DATABASE_URL, DATABASE_ROLE_SECRET: SECRET });
    for (const name of DATABASE_CONTEXTS) expect(databaseUrl[name]).toBe(ownerUrl(DATABASE_URL, name, SECRET));
  });

  test('is the one that was given for it alone', () => {
    const { databaseUrl } = load({ DATABASE_URL, DATABASE_ROLE_SECRET: SECRET, BOOKING_DATABASE_URL: given });
    expect(databaseUrl.booking).toBe(given);
    expect(databaseUrl.payment).toBe(ownerUrl(DATABASE_URL, 'payment', SECRET));
  });

  test('cannot be known from only one of the two', () => {
    expect(load({ DATABASE_URL }).databaseUrl.booking).toBeUndefined();
    expect(load({ DATABASE_ROLE_SECRET: SECRET }).databaseUrl.booking).toBeUndefined();
  });
});

describe('the event bus', () => {
  const DATABASE_URL = 'postgres://root:pw@db.example:5432/postgres';
  const reader = 'postgres://bus_reader:x@elsewhere/bus_db';
  const owner = 'postgres://bus:x@elsewhere/bus_db';

  test('is derived for each of its roles from the server and the secret of roles, each with its password', () => {
    const { busUrl } = load({ DATABASE_URL, DATABASE_ROLE_SECRET: SECRET });
    for (const role of BUS_ROLES) expect(busUrl[role]).toBe(busUrlOf(DATABASE_URL, role, SECRET));
    const passwords = BUS_ROLES.map((role) => new URL(busUrl[role] ?? '').password);
    expect(new Set(passwords).size).toBe(BUS_ROLES.length);
  });

  test('is the one that was given for a role, which says nothing of the others', () => {
    const { busUrl } = load({ BUS_READER_DATABASE_URL: reader });
    expect(busUrl).toEqual({ bus: undefined, bus_appender: undefined, bus_reader: reader });
    const beside = load({ DATABASE_URL, DATABASE_ROLE_SECRET: SECRET, BUS_READER_DATABASE_URL: reader }).busUrl;
    expect(beside.bus_reader).toBe(reader);
    expect(beside.bus_appender).toBe(busUrlOf(DATABASE_URL, 'bus_appender', SECRET));
  });

  test('has an owner only where one was given, and that one opens it for no other role', () => {
    expect(load({ DATABASE_URL, DATABASE_ROLE_SECRET: SECRET }).busUrl.bus).toBeUndefined();
    const { busUrl } = load({ BUS_DATABASE_URL: owner });
    expect(busUrl).toEqual({ bus: owner, bus_appender: undefined, bus_reader: undefined });
  });
});

test('ports and addresses of services follow their settings, without a slash behind', () => {
  const config = load({ BOOKING_PORT: '9003', PAYMENT_URL: 'http://payment:80/', PUBLIC_URL: 'https://api.example/' });
  expect(config.servicePort.booking).toBe(9003);
  expect(config.serviceUrl.booking).toBe('http://127.0.0.1:9003');
  expect(config.serviceUrl.payment).toBe('http://payment:80');
  expect(config.PUBLIC_URL).toBe('https://api.example');
});

test('the environment wins over the file, and an empty value is none', () => {
  const file = envFile('LOG_LEVEL=debug\nHOST=0.0.0.0\nBOOKING_PORT=9003\n');
  expect(load({ LOG_LEVEL: 'warn', BOOKING_PORT: '' }, file)).toMatchObject({ LOG_LEVEL: 'warn', HOST: '0.0.0.0' });
  expect(load({ LOG_LEVEL: '' }).LOG_LEVEL).toBe('info');
});

test('origins are a list, spaces and all', () => {
  expect(load({ CORS_ORIGINS: 'https://a.example, http://b.example ,' }).CORS_ORIGINS).toEqual([
    'https://a.example',
    'http://b.example',
  ]);
});

test.each([
  ['GATEWAY_PORT', '70000'],
  ['BOOKING_PORT', 'eighty'],
  ['BOOKING_PORT', '80.5'],
  ['DATABASE_URL', 'mysql://x'],
  ['BOOKING_DATABASE_URL', 'booking'],
  ['BUS_READER_DATABASE_URL', 'bus'],
  ['TEMPORAL_ADDRESS', 'http://temporal:7233'],
  ['STRIPE_SECRET_KEY', 'pk_test_1'],
  ['STRIPE_PUBLISHABLE_KEY', 'sk_test_1'],
  ['STRIPE_SCRIPT_URL', 'javascript:alert(1)'],
  ['SERVICE_TOKEN_SECRET', 'short'],
  ['DATABASE_ROLE_SECRET', 'short'],
  ['RATE_LIMIT_API', '0'],
  ['RATE_LIMIT_API', 'none'],
  ['PLATFORM_FEE_PERCENT', '101'],
  ['PLATFORM_FEE_PERCENT', '-1'],
  ['SETTLEMENT_CURRENCIES', 'EUR,XDR'],
  ['SETTLEMENT_CURRENCIES', 'EUR,eur'],
  ['SETTLEMENT_CURRENCIES', ','],
  ['CORS_ORIGINS', 'https://a.example,*'],
  ['TRUSTED_PROXIES', '10.0.0.0/8, proxy.example'],
  ['TRUSTED_PROXIES', '10.0.0.0/33'],
  ['TRUSTED_PROXIES', '0.0.0.0/0'],
  ['TRUSTED_PROXIES', '::1/8/8'],
  ['LOG_LEVEL', 'loud'],
  ['SHUTDOWN_GRACE_SECONDS', '0'],
  ['PUBLIC_URL', 'javascript:alert(1)'],
])('%s=%s is refused by its name, without repeating the value', (name, value) => {
  const message = complaints({ SERVICE_TOKEN_SECRET: SECRET, [name]: value });
  expect(message).toMatch(new RegExp(`^  - ${name} `, 'm'));
  if (/SECRET|KEY/.test(name)) expect(message).not.toContain(value);
});

test('all that is wrong is said at once, with a way out for what is missing', () => {
  const file = envFile('BOOKING_PROT=1\n');
  const message = complaints({ GATEWAY_PORT: '0', LOG_LEVEL: 'loud' }, file);
  expect(message).toMatch(/BOOKING_PROT in .* is not a setting; \.env\.example lists them all/);
  expect(message).toMatch(/SERVICE_TOKEN_SECRET is missing: set it to 32 or more random characters/);
  expect(message).toMatch(/GATEWAY_PORT/);
  expect(message).toMatch(/LOG_LEVEL/);
});

test('production refuses limits that are off; elsewhere they may be', () => {
  const off = {
    RATE_LIMIT_API: 'off',
    RATE_LIMIT_LOGIN: 'off',
    RATE_LIMIT_LOGIN_ADDRESS: 'off',
    RATE_LIMIT_LOGIN_FAILURES: 'off',
    RATE_LIMIT_REGISTER: 'off',
    RATE_LIMIT_RESET_ADDRESS: 'off',
  };
  expect(load(off).RATE_LIMIT_API).toBe('off');
  const message = complaints({ SERVICE_TOKEN_SECRET: SECRET, NODE_ENV: 'production', ...off });
  for (const name of Object.keys(off)) expect(message).toContain(`${name} must not be off in production`);
});

test('every setting has a name in capitals and a meaning', () => {
  for (const { name, meaning } of listSettings()) {
    expect(name).toMatch(/^[A-Z][A-Z_]+$/);
    expect(meaning).not.toBe('');
  }
});
