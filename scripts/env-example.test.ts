import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'dotenv';
import { loadConfig } from '../platform/config';
import { listSettings } from '../platform/settings';
import { envExample } from './env-example';

const file = readFileSync(join(__dirname, '..', '.env.example'), 'utf8');

test('.env.example is what the settings say: else run `node dist/scripts/env-example.js` after a build', () => {
  expect(file).toBe(envExample());
});

test('copied as it is it changes nothing, and with every # taken off it is valid', () => {
  expect(parse(file)).toEqual({});
  const uncommented = file.replaceAll(/^# (?=[A-Z_]+=)/gm, '');
  const secret = { SERVICE_TOKEN_SECRET: 'x'.repeat(32) };
  const values = parse(uncommented);
  expect(Object.keys(values).toSorted()).toEqual(
    listSettings()
      .map(({ name }) => name)
      .toSorted(),
  );
  expect(loadConfig({ ...values, ...secret }, 'none')).toEqual(loadConfig(secret, 'none'));
});

test('every setting says what it means', () => {
  for (const { name, meaning } of listSettings()) expect([name, meaning.length > 10]).toEqual([name, true]);
});
