import { isIP } from 'node:net';
import { z } from 'zod';
import { isChargeable } from '../kernel/currencies';
import {
  CONTEXT_NAMES,
  type ContextName,
  contextOf,
  contextsOf,
  MANAGEMENT_PORT,
  MODULE_NAMES,
} from '../kernel/modules';
import { PROVIDER_ID } from '../kernel/provider-id';
import { isRedirectUri } from './oidc-settings';

// Every setting there is. `loadConfig` reads them; `.env.example` is checked against these tables by a test.

const port = (fallback: number) => z.coerce.number().int().min(1).max(65_535).default(fallback);
const quota = (fallback: number, per: 'minute' | 'hour' = 'minute') =>
  z
    .union(
      [z.literal('off'), z.coerce.number().int().min(1).max(1_000_000)],
      `must be a number of requests per ${per}, or off`,
    )
    .default(fallback);
const url = (...protocols: string[]) =>
  z
    .string()
    .refine(
      (value) => URL.canParse(value) && protocols.includes(new URL(value).protocol),
      `must be a URL that starts with ${protocols.map((protocol) => `${protocol}//`).join(' or ')}`,
    );
const postgres = () => url('postgres:', 'postgresql:').optional();
/** An IP address, or a network in CIDR form; not one of all addresses, which would let every client choose its own. */
function isAddressOrNetwork(value: string): boolean {
  const [address = '', bits, ...rest] = value.split('/');
  const most = { 4: 32, 6: 128 }[isIP(address)];
  if (most === undefined || rest.length > 0) return false;
  return bits === undefined || (/^[1-9]\d{0,2}$/.test(bits) && Number(bits) <= most);
}
/** The parts of a comma-separated list. */
function listed(list: string): string[] {
  return list
    .split(',')
    .map((part) => part.trim())
    .filter(Boolean);
}
function onlyModules(list: string, context: z.RefinementCtx): void {
  try {
    contextsOf(list);
  } catch (error) {
    context.addIssue({ code: 'custom', message: `cannot be used: ${error instanceof Error ? error.message : error}` });
  }
}
const secret = z.string().min(32, 'must have at least 32 characters');

/** Settings of the platform as a whole, with their defaults and what they mean. */
export const settings = {
  NODE_ENV: z
    .enum(['development', 'test', 'production'])
    .default('development')
    .describe('production refuses unsafe settings'),
  MODULES: z
    .string()
    .default(MODULE_NAMES.join(','))
    .superRefine(onlyModules)
    .describe(
      'Comma-separated modules to run, beside core and with those that they need; the paths of others are away',
    ),
  HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address that services listen on; loopback unless in a container'),
  MANAGEMENT_HOST: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe(
      'Address of /healthz, /readyz and /metrics; loopback unless what asks for them is elsewhere, never public',
    ),
  MANAGEMENT_PORT: port(MANAGEMENT_PORT).describe(
    'Port of /healthz, /readyz and /metrics, one per process; `npm start` counts up from it',
  ),
  LOG_LEVEL: z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('Least level that is logged'),
  DATA_DIR: z
    .string()
    .min(1)
    .default('.data')
    .describe('Folder of the embedded Postgres, Temporal, Stripe sandbox and secrets'),
  PUBLIC_URL: url('http:', 'https:')
    .optional()
    .describe('Where clients reach the gateway; links in mails start with it'),
  POSTGRES_PORT: port(5433).describe('Port of the embedded Postgres'),
  DATABASE_URL: postgres().describe('A Postgres server and a user that may create roles and databases'),
  DATABASE_POOL_SIZE: z.coerce
    .number()
    .int()
    .min(1)
    .max(100)
    .default(8)
    .describe('Connections each service keeps at most'),
  DATABASE_ROLE_SECRET: secret.optional().describe("The password of each context's database role is derived from it"),
  SERVICE_TOKEN_SECRET: secret.describe("Signs the tokens by which the platform's parts call /internal"),
  IDENTITY_KEY_SECRET: secret
    .optional()
    .describe("Encrypts the private keys of access tokens in identity's database; needed by identity alone"),
  NOTIFICATION_KEY_SECRET: secret
    .optional()
    .describe("Encrypts what unsent mails are made of in notification's database; needed by notification alone"),
  PAYMENT_KEY_SECRET: secret
    .optional()
    .describe("Encrypts the names on receipts in payment's database; needed by payment alone, and never changed"),
  TEMPORAL_ADDRESS: z
    .string()
    .regex(/^[^\s:]+:\d+$/, 'must be host:port')
    .optional()
    .describe('A Temporal server; else one is started'),
  TEMPORAL_NAMESPACE: z.string().min(1).default('default').describe('Temporal namespace of all sagas'),
  TEMPORAL_PORT: port(7233).describe('Port of the embedded Temporal server'),
  TEMPORAL_UI_PORT: port(8233).describe('Port of the embedded Temporal Web UI'),
  TEMPORAL_UI_URL: url('http:', 'https:').optional().describe('Where operators reach the Temporal Web UI'),
  STRIPE_SECRET_KEY: z
    .string()
    .regex(/^(sk|rk)_/, 'must be a Stripe secret key (sk_…)')
    .optional()
    .describe('The real Stripe; else the sandbox'),
  STRIPE_PUBLISHABLE_KEY: z
    .string()
    .regex(/^pk_/, 'must be a Stripe publishable key (pk_…)')
    .optional()
    .describe('What pages give cards to Stripe with; needed with STRIPE_SECRET_KEY, of the same account and mode'),
  STRIPE_API_BASE: url('http:', 'https:')
    .optional()
    .describe('Host that the Stripe SDK talks to; default Stripe, or the sandbox'),
  STRIPE_SCRIPT_URL: url('http:', 'https:')
    .optional()
    .describe("Where pages load Stripe's own library; default Stripe, or the sandbox's stand-in"),
  STRIPE_WEBHOOK_SECRET: z.string().min(8).optional().describe("Verifies the signature of Stripe's webhooks (whsec_…)"),
  STRIPE_CONNECT_WEBHOOK_SECRET: z
    .string()
    .min(8)
    .optional()
    .describe("The same for the endpoint of connected accounts' events, which has a secret of its own"),
  STRIPE_SANDBOX_PORT: port(8420).describe('Port of the Stripe sandbox'),
  SMTP_URL: url('smtp:', 'smtps:').optional().describe('The mail server; else a catcher with a web inbox is started'),
  MAIL_SMTP_PORT: port(8425).describe('SMTP port of the mail catcher'),
  MAIL_UI_PORT: port(8426).describe('Web inbox of the mail catcher'),
  MAIL_FROM: z.string().min(3).default('TutorConnect <no-reply@tutorconnect.example>').describe('Sender of every mail'),
  EARNINGS_HOLD_DAYS: z.coerce
    .number()
    .int()
    .min(0)
    .max(90)
    .default(7)
    .describe('Days from a direct payment until its payee can be paid out: time for a stolen card to be noticed'),
  PLATFORM_FEE_PERCENT: z.coerce
    .number()
    .min(0)
    .max(100)
    .multipleOf(0.01)
    .default(15)
    .describe('Share of a payment that the platform keeps'),
  SETTLEMENT_CURRENCIES: z
    .string()
    .default('EUR,GBP,USD')
    .transform(listed)
    .pipe(z.array(z.string().refine(isChargeable, 'must be currencies that Stripe charges in, such as EUR')).min(1))
    .describe('Comma-separated currencies that the account at Stripe settles in; prices are set in no others'),
  RATE_LIMIT_LOGIN: quota(10).describe('Logins a minute per account and address'),
  RATE_LIMIT_LOGIN_ADDRESS: quota(30).describe('Logins a minute per address'),
  RATE_LIMIT_LOGIN_FAILURES: quota(100, 'hour').describe(
    'Failed logins an hour per account; above it only addresses with a success in the last 90 days are let in',
  ),
  RATE_LIMIT_REGISTER: quota(10).describe('Registrations a minute per address'),
  RATE_LIMIT_RESET_ADDRESS: quota(10, 'hour').describe('Requests for a new password an hour per address'),
  RATE_LIMIT_API: quota(600).describe('Requests a minute per user, or per address when not signed in'),
  OIDC_PROVIDERS: z
    .string()
    .default('')
    .transform(listed)
    .pipe(
      z
        .array(z.string().regex(PROVIDER_ID, 'must be names of small letters and digits, such as google'))
        .refine((ids) => new Set(ids).size === ids.length, 'must name each provider once'),
    )
    .describe(
      'Comma-separated names of OpenID providers at whose place people can sign in, each with the settings of its own',
    ),
  OIDC_REDIRECT_URIS: z
    .string()
    .default('')
    .transform(listed)
    .pipe(
      z.array(
        z.string().refine(isRedirectUri, "must be URLs of apps: https, http on this machine, or an app's own scheme"),
      ),
    )
    .describe(
      'Comma-separated URLs of apps, one of which a sign-in at a provider goes back to, each exactly as apps say it',
    ),
  CORS_ORIGINS: z
    .string()
    .default('')
    .transform(listed)
    .pipe(z.array(url('http:', 'https:')))
    .describe('Comma-separated origins that browsers may call from'),
  TRUSTED_PROXIES: z
    .string()
    .default('')
    .transform(listed)
    .pipe(z.array(z.string().refine(isAddressOrNetwork, 'must be addresses or networks such as 10.0.0.0/8')))
    .describe(
      "Comma-separated addresses and networks of proxies whose X-Forwarded-For the gateway believes; else nobody's",
    ),
  WORKER_CACHED_SAGAS: z.coerce
    .number()
    .int()
    .min(100)
    .max(100_000)
    .default(500)
    .describe(
      'Sagas that each worker keeps in memory, at some 0.3 MB each; others are replayed when something happens',
    ),
  SHUTDOWN_GRACE_SECONDS: z.coerce
    .number()
    .int()
    .min(1)
    .max(600)
    .default(20)
    .describe('How long running work may take to end at a stop'),
} as const;

/** Where the event bus is, for each of its roles. */
export const ofBus = {
  BUS_DATABASE_URL: postgres().describe('Database of the event bus, made beforehand; needed to migrate it'),
  BUS_APPENDER_DATABASE_URL: postgres().describe('The same for the role bus_appender, by which events are published'),
  BUS_READER_DATABASE_URL: postgres().describe('The same for the role bus_reader, by which events are read'),
};

/** Where each context is, and its database. */
export const perContext: Record<string, z.ZodType> = Object.fromEntries(
  CONTEXT_NAMES.flatMap((name): [string, z.ZodType][] => [
    [`${name.toUpperCase()}_PORT`, port(contextOf(name).port).describe(`Port of the ${name} service`)],
    [
      `${name.toUpperCase()}_URL`,
      url('http:', 'https:').optional().describe(`Where the ${name} service is reached; default this machine`),
    ],
    ...databaseSetting(name),
  ]),
);

function databaseSetting(name: ContextName): [string, z.ZodType][] {
  if (!contextOf(name).database) return [];
  return [[`${name.toUpperCase()}_DATABASE_URL`, postgres().describe(`Database of ${name} alone, made beforehand`)]];
}

/** Settings of which there can be one for every currency, as the one for EUR. */
const perCurrency = {
  PAYOUT_MINIMUM_EUR: z
    .string()
    .optional()
    .describe(
      'Least that is paid out at once, such as 10.00; of other currencies by their codes; default about 10 EUR',
    ),
};

/** Settings of which there are some for every provider, as those for one called google. */
const perProvider = {
  OIDC_GOOGLE_ISSUER: z
    .string()
    .optional()
    .describe('Where the provider google is, such as https://accounts.google.com'),
  OIDC_GOOGLE_CLIENT_ID: z.string().optional().describe('What it calls the platform'),
  OIDC_GOOGLE_CLIENT_SECRET: z.string().optional().describe('By what it knows the platform; needed by identity alone'),
  OIDC_GOOGLE_NAME: z.string().optional().describe('What people read; default its name in OIDC_PROVIDERS'),
};

/** Name, default and meaning of every setting, for `.env.example` and the reference in the documentation. */
export function listSettings(): { name: string; meaning: string; schema: z.ZodType }[] {
  return Object.entries({ ...settings, ...perCurrency, ...perProvider, ...ofBus, ...perContext }).map(
    ([name, schema]) => ({
      name,
      meaning: schema.description ?? '',
      schema,
    }),
  );
}
