import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parse as parseDotenv } from 'dotenv';
import { z } from 'zod';
import { BUS_ROLES, type BusRole, busUrl, ownerUrl } from '../db/roles';
import {
  CONTEXT_NAMES,
  type ContextName,
  contextOf,
  contextsOf,
  DATABASE_CONTEXTS,
  type DatabaseContext,
} from '../kernel/modules';
import { isOidcSetting, type OidcProvider, readOidcProviders } from './oidc-settings';
import { isPayoutMinimum, readPayoutMinimums } from './payout-minimums';
import { ofBus, perContext, settings } from './settings';
import { completeStripe, stripeFaults } from './stripe-settings';

const baseSchema = z.object(settings);
const contextSchema = z.object({ ...ofBus, ...perContext });

type Base = z.output<typeof baseSchema>;

export interface Config
  extends Omit<
    Base,
    | 'MODULES'
    | 'OIDC_PROVIDERS'
    | 'PUBLIC_URL'
    | 'TEMPORAL_ADDRESS'
    | 'TEMPORAL_UI_URL'
    | 'STRIPE_SECRET_KEY'
    | 'STRIPE_PUBLISHABLE_KEY'
    | 'STRIPE_API_BASE'
    | 'STRIPE_SCRIPT_URL'
    | 'SMTP_URL'
  > {
  /** Those that run: of the modules that are switched on. */
  contexts: ReadonlySet<ContextName>;
  /** What has to be payable before it is paid out, in minor units, where it is set (PAYOUT_MINIMUM_…). */
  payoutMinimums: ReadonlyMap<string, number>;
  /** At whose place people can sign in (OIDC_PROVIDERS). */
  oidcProviders: readonly OidcProvider[];
  PUBLIC_URL: string;
  TEMPORAL_ADDRESS: string;
  TEMPORAL_UI_URL: string;
  STRIPE_SECRET_KEY: string;
  STRIPE_PUBLISHABLE_KEY: string;
  STRIPE_SCRIPT_URL: string;
  /** Undefined: Stripe itself. */
  STRIPE_API_BASE: string | undefined;
  SMTP_URL: string;
  /** Base URL of each service, without a trailing slash. */
  serviceUrl: Record<ContextName, string>;
  servicePort: Record<ContextName, number>;
  /** Connection string of each context's own database and role; undefined when no setting says where it is. */
  databaseUrl: Record<DatabaseContext, string | undefined>;
  /** The same of the event bus for each of its roles, and for its owner where it was made beforehand. */
  busUrl: Record<BusRole | 'bus', string | undefined>;
}

/** Settings that cannot be used. Its message is written for a person and names each setting and what to do. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads `.env` (when there is one) under the environment, refuses unknown keys of the file and bad values, and fills in
 * defaults. @throws ConfigError naming every setting that is wrong.
 */
export function loadConfig(environment: NodeJS.ProcessEnv = process.env, envFile = '.env'): Config {
  const file = readEnvFile(envFile);
  const known = new Set([...Object.keys(settings), ...Object.keys(ofBus), ...Object.keys(perContext)]);
  const problems = Object.keys(file)
    .filter((key) => !known.has(key) && !isPayoutMinimum(key) && !isOidcSetting(key))
    .map((key) => `${key} in ${envFile} is not a setting; .env.example lists them all`);

  const given: Record<string, string> = {};
  for (const key of known) {
    const value = environment[key] ?? file[key];
    if (value !== undefined && value !== '') given[key] = value;
  }
  const all = { ...file, ...environment };
  const minimums = readPayoutMinimums(all, problems);
  const base = baseSchema.safeParse(given);
  const contexts = contextSchema.safeParse(given);
  for (const result of [base, contexts]) {
    for (const issue of result.error?.issues ?? []) {
      const key = String(issue.path[0]);
      problems.push(
        given[key] === undefined ? `${key} is missing: ${describeMissing(key)}` : `${key} ${issue.message}`,
      );
    }
  }
  const providers = base.success ? readOidcProviders(base.data.OIDC_PROVIDERS, all, problems) : [];
  if (base.success) problems.push(...unsafe(base.data));
  if (!base.success || !contexts.success || problems.length > 0) {
    throw new ConfigError(`The configuration cannot be used:\n${problems.map((line) => `  - ${line}`).join('\n')}`);
  }
  return { ...complete(base.data, given), payoutMinimums: minimums, oidcProviders: providers };
}

function readEnvFile(path: string): Record<string, string> {
  return existsSync(path) ? parseDotenv(readFileSync(path)) : {};
}

function describeMissing(key: string): string {
  return key === 'SERVICE_TOKEN_SECRET'
    ? 'set it to 32 or more random characters, or use `npm start`, which makes one'
    : 'see .env.example';
}

/** The settings that limit how often somebody may ask, each of which can be `off`. */
export const RATE_LIMITS = [
  ...(['RATE_LIMIT_LOGIN', 'RATE_LIMIT_LOGIN_ADDRESS', 'RATE_LIMIT_LOGIN_FAILURES'] as const),
  ...(['RATE_LIMIT_REGISTER', 'RATE_LIMIT_RESET_ADDRESS', 'RATE_LIMIT_API'] as const),
] as const;

function unsafe(config: Base): string[] {
  const problems = stripeFaults(config);
  if (config.OIDC_PROVIDERS.length > 0 && config.OIDC_REDIRECT_URIS.length === 0)
    problems.push('OIDC_REDIRECT_URIS is missing: set it to where a sign-in at one of OIDC_PROVIDERS goes back to');
  if (config.NODE_ENV !== 'production') return problems;
  const off = RATE_LIMITS.filter((name) => config[name] === 'off');
  return [...problems, ...off.map((name) => `${name} must not be off in production`)];
}

function complete(base: Base, given: Record<string, string>): Omit<Config, 'payoutMinimums' | 'oidcProviders'> {
  const servicePort = byName(CONTEXT_NAMES, (name) =>
    Number(given[`${name.toUpperCase()}_PORT`] ?? contextOf(name).port),
  );
  const serviceUrl = byName(CONTEXT_NAMES, (name) =>
    withoutSlash(given[`${name.toUpperCase()}_URL`] ?? `http://127.0.0.1:${servicePort[name]}`),
  );
  const { DATABASE_URL: server, DATABASE_ROLE_SECRET: roleSecret } = base;
  const databaseUrl = byName(
    DATABASE_CONTEXTS,
    (name) =>
      given[`${name.toUpperCase()}_DATABASE_URL`] ??
      (server && roleSecret ? ownerUrl(server, name, roleSecret) : undefined),
  );
  const busUrlOf = (role: BusRole) =>
    given[`${role.toUpperCase()}_DATABASE_URL`] ??
    (server && roleSecret ? busUrl(server, role, roleSecret) : undefined);
  const { MODULES: modules, OIDC_PROVIDERS: _, ...rest } = base;
  return {
    ...rest,
    contexts: contextsOf(modules),
    DATA_DIR: resolve(base.DATA_DIR),
    PUBLIC_URL: withoutSlash(base.PUBLIC_URL ?? serviceUrl.gateway),
    TEMPORAL_ADDRESS: base.TEMPORAL_ADDRESS ?? `127.0.0.1:${base.TEMPORAL_PORT}`,
    TEMPORAL_UI_URL: withoutSlash(base.TEMPORAL_UI_URL ?? `http://127.0.0.1:${base.TEMPORAL_UI_PORT}`),
    ...completeStripe(base),
    SMTP_URL: base.SMTP_URL ?? `smtp://127.0.0.1:${base.MAIL_SMTP_PORT}`,
    servicePort,
    serviceUrl,
    databaseUrl,
    busUrl: { bus: given.BUS_DATABASE_URL, ...byName(BUS_ROLES, busUrlOf) },
  };
}

/** A record of what `value` gives for each name. */
export function byName<Name extends string, Value>(names: readonly Name[], value: (name: Name) => Value) {
  return Object.fromEntries(names.map((name) => [name, value(name)])) as Record<Name, Value>;
}

const withoutSlash = (address: string) => address.replace(/\/$/, '');
