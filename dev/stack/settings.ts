import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse as parseDotenv } from 'dotenv';
import { type Config, loadConfig } from '../../platform/config';
import { readOrMakeSecrets, type Secrets } from './secrets';

export interface Settings {
  config: Config;
  secrets: Secrets;
  /** The environment of every child: all settings, wherever they came from, so that no child reads a file. */
  environment: Record<string, string>;
  /** What is not given by a setting and so has to be started here. */
  embedded: { postgres: boolean; temporal: boolean; mail: boolean; stripe: boolean };
}

/**
 * The settings of a platform with everything that was left open filled in: secrets are made once and kept in the data
 * folder. `overrides` win over the environment, and that over `.env`. An empty string is no value.
 * @throws ConfigError naming every setting that is wrong
 */
export function readSettings(overrides: Record<string, string> = {}, envFile = '.env'): Settings {
  const file = existsSync(envFile) ? parseDotenv(readFileSync(envFile)) : {};
  const given: Record<string, string> = {};
  for (const [name, value] of Object.entries({ ...file, ...process.env, ...overrides })) if (value) given[name] = value;

  const dataDir = resolve(given.DATA_DIR ?? '.data');
  loadConfig({ SERVICE_TOKEN_SECRET: 'x'.repeat(32), ...given }, envFile); // wrong settings make no folder
  const secrets = readOrMakeSecrets(dataDir);
  const { POSTGRES_PASSWORD: _, ...shared } = secrets;
  const environment: Record<string, string> = { ...shared, ...given, DATA_DIR: dataDir };
  const config = loadConfig(environment, envFile);
  // The server's superuser is for making databases: no service is given it.
  delete environment.DATABASE_URL;
  const bus = Object.values(config.busUrl);
  return {
    config,
    secrets,
    environment,
    embedded: {
      postgres: !given.DATABASE_URL && [...Object.values(config.databaseUrl), ...bus].includes(undefined),
      temporal: !given.TEMPORAL_ADDRESS,
      mail: !given.SMTP_URL,
      stripe: !given.STRIPE_SECRET_KEY && !given.STRIPE_API_BASE,
    },
  };
}
