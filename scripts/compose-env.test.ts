import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { BUS_ROLES, rolePassword } from '../db/roles';
import { DATABASE_CONTEXTS } from '../kernel/modules';
import { listSettings } from '../platform/settings';
import { services } from '../services';
import { workers } from '../workers';
import { composeEnv } from './compose-env';

const compose = readFileSync(join(__dirname, '..', 'docker-compose.temporal.yml'), 'utf8');
const made = parse(composeEnv());

test('what the compose file demands, compose-env makes, and nothing that it does not read', () => {
  const demanded = new Set([...compose.matchAll(/\$\{(\w+):?\?/g)].map(([, name = '']) => name));
  expect(demanded.size).toBeGreaterThan(10);
  expect(Object.keys(made).toSorted()).toEqual([...demanded, 'COMPOSE_PROFILES'].toSorted());
});

test('no secret of the compose file has a default', () => {
  const defaults = [...compose.matchAll(/\$\{(\w+):?-([^}]*)\}/g)].map(([, name = '']) => name);
  expect(defaults.filter((name) => /SECRET|PASSWORD|KEY|TOKEN/.test(name))).toEqual([]);
});

test('secrets are random, and a database password belongs to the role secret', () => {
  const again = parse(composeEnv());
  for (const name of [
    'SERVICE_TOKEN_SECRET',
    'IDENTITY_KEY_SECRET',
    'NOTIFICATION_KEY_SECRET',
    'PAYMENT_KEY_SECRET',
    'POSTGRES_PASSWORD',
    'DATABASE_ROLE_SECRET',
    'STRIPE_WEBHOOK_SECRET',
    'STRIPE_CONNECT_WEBHOOK_SECRET',
  ]) {
    expect(made[name]?.length).toBeGreaterThanOrEqual(32);
    expect(again[name]).not.toBe(made[name]);
  }
  for (const role of [...DATABASE_CONTEXTS, ...BUS_ROLES]) {
    const password = rolePassword(role, made.DATABASE_ROLE_SECRET ?? '');
    expect(made[`${role.toUpperCase()}_DATABASE_PASSWORD`]).toBe(password);
  }
  // What owns the bus is for migrating it, which derives its password itself.
  expect(made).not.toHaveProperty('BUS_DATABASE_PASSWORD');
});

test('every service and every worker has a container of its own', () => {
  const commands = [...compose.matchAll(/^ {4}command: \[['"]?([\w:-]+)['"]?\]$/gm)].map(([, name]) => name);
  expect(commands.toSorted()).toEqual([...Object.keys(services), ...Object.keys(workers)].toSorted());
});

test('every setting that the product is given exists', () => {
  const known = new Set(listSettings().map(({ name }) => name));
  const product = compose.slice(compose.indexOf('x-environment:'), compose.indexOf('  temporal-postgres:'));
  const given = [...product.matchAll(/^ {2,6}([A-Z][A-Z_]+):/gm)].map(([, name = '']) => name);
  expect(given.length).toBeGreaterThan(20);
  expect(given.filter((name) => !known.has(name) && name !== 'POSTGRES_PASSWORD')).toEqual([]);
});
