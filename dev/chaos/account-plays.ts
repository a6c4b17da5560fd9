import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../machine/error-code';
import { askAs, openForBookings, signIn, signUp, unexpected } from './people';
import type { AccountPlan } from './plan';
import type { AccountRecord, Cast, Records } from './records';

const RENEWED = 'battery staple correct horse';
const REASON = 'Reported by several students';
/** A mail is delivered within minutes, however much is killed. */
const MAIL_WITHIN_MS = 300_000;
const LOOK_EVERY_MS = 1_000;

/** Plays what becomes of one account to its end: it is kept out and let in, and gets another password. Never rejects. */
export async function playAccount(cast: Cast, plan: AccountPlan, records: Records): Promise<void> {
  try {
    const person = await signUp(cast.client, plan.role, `account${plan.number}${cast.run}`);
    const record: AccountRecord = { plan, person, suspended: 0, hasAnotherPassword: false };
    records.accounts.push(record);
    if (plan.role === 'tutor') await openForBookings(cast.client, person, { hourly: 4_500, instant: true });
    for (const act of plan.acts) {
      await sleep(plan.pauseMs);
      await (act === 'suspend' ? suspend(cast, record) : reset(cast, record));
    }
  } catch (error) {
    records.broken.push(`account ${plan.number}: ${messageOf(error)}`);
  }
}

/** An administrator keeps the person out for a while. */
async function suspend(cast: Cast, record: AccountRecord): Promise<void> {
  const { client, admin } = cast;
  const { person, plan } = record;
  const act = async (what: 'suspend' | 'unsuspend') => {
    const reply = await askAs(client, admin, 'POST', `/api/users/${person.id}/${what}`, { body: { reason: REASON } });
    // An answer was lost, and it is done already.
    if (reply.status !== 200 && reply.code !== 'invalid_state') throw unexpected(what, reply);
  };
  const before = person.token;
  await act('suspend');
  record.suspended += 1;
  await expectRefused(cast, before, 'a person who is kept out');
  const login = await signIn(client, person);
  if (login.code !== 'account_suspended') client.offences.push(`a person who is kept out is answered ${login.status}`);
  await sleep(plan.pauseMs);
  await act('unsuspend');
  await comeBack(cast, record);
}

/** The person forgets their password and sets another one by the link of a mail. */
async function reset(cast: Cast, record: AccountRecord): Promise<void> {
  const { client } = cast;
  const { person } = record;
  const before = person.token;
  const asked = await client.ask('POST', '/api/auth/forgot-password', { body: { email: person.email } });
  if (asked.status !== 202) throw unexpected('a forgotten password', asked);
  const token = await tokenFor(cast, person.email);
  const done = await client.ask('POST', '/api/auth/reset-password', { body: { token, password: RENEWED } });
  // An answer was lost, and the token is spent.
  if (done.status !== 204 && done.code !== 'invalid_token') throw unexpected('a new password', done);
  const old = await signIn(client, person);
  if (old.code !== 'invalid_credentials') client.offences.push(`a password of before is answered ${old.status}`);
  await expectRefused(cast, before, 'a session of before another password');
  person.password = RENEWED;
  record.hasAnotherPassword = true;
  await comeBack(cast, record);
}

/** Signs in again, as whoever is let in can. */
async function comeBack({ client }: Cast, { person }: AccountRecord): Promise<void> {
  // Their token is refused, so that `askAs` signs in.
  person.signedInAt = Number.NEGATIVE_INFINITY;
  const me = await askAs(client, person, 'GET', '/api/auth/me');
  if (me.status !== 200) throw unexpected('coming back', me);
}

/** identity refuses what it has ended, from the moment of its answer. */
async function expectRefused({ client }: Cast, token: string, whose: string): Promise<void> {
  const me = await client.ask('GET', '/api/auth/me', { token });
  if (me.status !== 401) client.offences.push(`${whose} is answered ${me.status}`);
}

/** The token of the newest link for a new password that came to an address. @throws Error when none comes within minutes */
async function tokenFor({ mails }: Cast, email: string): Promise<string> {
  for (const deadline = performance.now() + MAIL_WITHIN_MS; performance.now() < deadline; ) {
    const mine = (await mails()).filter(({ to }) => to.some(({ address }) => address === email));
    const token = mine.flatMap(({ text }) => /\/api\/auth\/reset\?token=([\w-]+)/.exec(text)?.[1] ?? []).at(-1);
    if (token !== undefined) return token;
    await sleep(LOOK_EVERY_MS);
  }
  throw new Error(`no link for a new password came to ${email}`);
}
