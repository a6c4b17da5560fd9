import { randomUUID } from 'node:crypto';
import { request } from 'undici';
import { versionsOf } from '../machine';
import type { Stack } from '../stack';
import { median } from '../stats';
import { FULL_SCALE } from './names';
import type { RunScenario } from './scenario';
import { onStack } from './stage';

const DEFAULTS = FULL_SCALE['forgot-timing'];
/** Before the first that counts: services that have just started are slow. */
const WARM_UP = 30;

/** What an address can be to the platform. */
const KINDS = ['unknown', 'pending', 'existing', 'at a provider'] as const;
type Kind = (typeof KINDS)[number];

/** Whether the time in which a forgotten password is answered tells what an address is: one request after the other, in random order. */
export const forgotTiming: RunScenario = async (options) => {
  const { say, scale, signal } = options;
  const count = scale.count ?? DEFAULTS.count;
  // All come from one network address.
  return onStack(options, { settings: { RATE_LIMIT_RESET_ADDRESS: 'off' } }, async (stack) => {
    const times: Record<Kind, number[]> = { unknown: [], pending: [], existing: [], 'at a provider': [] };
    const bodies = new Set<string>();
    for (const email of addresses(WARM_UP)) await forget(stack, email);
    const asked = await prepare(stack, count);
    say(`${count} requests each of ${KINDS.join(', ')} addresses, in random order`);
    for (const { kind, email } of asked) {
      signal.throwIfAborted();
      const { ms, answer } = await forget(stack, email);
      times[kind].push(ms);
      bodies.add(answer);
    }
    const medians = KINDS.map((kind) => median(times[kind]));
    const figures = {
      ...Object.fromEntries(KINDS.map((kind, index) => [`p50 of ${kind}`, medians[index] ?? 0])),
      apart: Math.max(...medians) / Math.min(...medians) - 1,
    };
    return [
      {
        scenario: 'forgot-timing',
        scale: { count },
        figures,
        contradictions: [
          ...(bodies.size === 1 ? [] : [`there were ${bodies.size} kinds of answers: ${[...bodies].join(' | ')}`]),
          ...(await contradictions(stack, count)),
        ],
        versions: await versionsOf(stack),
      },
    ];
  });
};

const addresses = (count: number) => Array.from({ length: count }, () => `${randomUUID()}@bench.example`);

/** People whose accounts are active or pending, beside addresses that nobody has, shuffled. Nobody registers so many: they are rows. */
async function prepare(stack: Stack, count: number): Promise<{ kind: Kind; email: string }[]> {
  const of: Record<Kind, string[]> = {
    ...{ unknown: addresses(count), pending: addresses(count) },
    ...{ existing: addresses(count), 'at a provider': addresses(count) },
  };
  const sql = stack.database('identity');
  for (const [status, password, emails] of [
    ['pending', 'none', of.pending],
    ['active', 'none', of.existing],
    ['active', null, of['at a provider']],
  ] as const) {
    await sql`
      insert into users (id, email, password_hash, role, status, registration, attempt_id, attempt_until, saga_started_at)
      select gen_random_uuid(), email, ${password}, 'student', ${status},
        '{"firstName": "Ada", "lastName": "King", "timeZone": "UTC", "locale": "en"}', gen_random_uuid(), now(), now()
      from unnest(${emails}::text[]) as email`;
  }
  await sql`
    insert into user_profiles (user_id, first_name, last_name, time_zone, locale)
    select id, 'Ada', 'King', 'UTC', 'en' from users where status = 'active' and email = any(${[...of.existing, ...of['at a provider']]})`;
  await sql`
    insert into user_identities (id, user_id, provider, issuer, subject)
    select gen_random_uuid(), id, 'campus', 'https://campus.example', email from users where email = any(${of['at a provider']})`;
  return KINDS.flatMap((kind) => of[kind].map((email) => ({ kind, email, at: Math.random() }))).toSorted(
    (a, b) => a.at - b.at,
  );
}

async function forget({ platform }: Stack, email: string): Promise<{ ms: number; answer: string }> {
  const began = performance.now();
  const { statusCode, body } = await request(`${platform.urls.gateway}/api/auth/forgot-password`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ email }),
  });
  const text = await body.text();
  return { ms: performance.now() - began, answer: `${statusCode} ${text}` };
}

/** What the requests should have left, and have not. */
async function contradictions(stack: Stack, count: number): Promise<string[]> {
  const [row] = await stack.database('identity')<{ of_accounts: number; all: number }[]>`
    select count(user_id)::int as of_accounts, count(*)::int as all from account_mails`;
  const all = KINDS.length * count + WARM_UP;
  return [
    ...(row?.all === all ? [] : [`${row?.all} requests are stored, and not ${all}`]),
    ...(row?.of_accounts === 2 * count ? [] : [`${row?.of_accounts} of them have an account, and not ${2 * count}`]),
  ];
}
