import { randomBytes, randomInt } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { isDeepStrictEqual, parseArgs } from 'node:util';
import pc from 'picocolors';
import { request } from 'undici';
import { openDatabase } from '../db/client';
import { identityKey } from '../services/identity/keyring';
import { grantAdmin } from '../services/identity/store/roles';
import { playAccount } from './chaos/account-plays';
import { sagasThatRun, untilReady, untilSettled } from './chaos/calm';
import { createCardBanks } from './chaos/card-banks';
import { createClient } from './chaos/client';
import { createDashboard } from './chaos/dashboard';
import { caughtMails, openEvidence } from './chaos/evidence';
import { examine, type Findings } from './chaos/examine';
import { type MailLine, openMailLine } from './chaos/mail-line';
import { startOperator } from './chaos/operator';
import { playEarner } from './chaos/payout-plays';
import { openForBookings, signUp, signUpAdmin } from './chaos/people';
import { neighbours } from './chaos/places';
import type { Script } from './chaos/plan';
import { play } from './chaos/plays';
import { type Cast, emptyRecords, type Records } from './chaos/records';
import { createLiveLine, killList, type LiveLine, silenceList, summary, verdictLine } from './chaos/report';
import { openSandboxLine } from './chaos/sandbox-line';
import { MOST_BOOKINGS, writeScript } from './chaos/script';
import { startStorm } from './chaos/storm';
import { timeOf } from './chaos/time';
import { messageOf } from './machine/error-code';
import { freePorts } from './machine/ports';
import { untilToldToStop } from './machine/stop-signals';
import { removeDataDir, temporaryDataDir } from './machine/temporary-data';
import { NO_LIMITS, openDatabases, ownSettings } from './stack/own-platform';
import { type RunningPlatform, startPlatform } from './stack/platform';

const USAGE = `npm run chaos                                    200 bookings while everything is killed again and again
npm run chaos -- --bookings 50 --seed 7          so many bookings; the same seed plays and kills the same
npm run chaos -- --keep                          keeps the data folder, as a violation does`;

interface Options {
  bookings: number;
  seed: number;
  keep: boolean;
}

/**
 * Few bookings get few clients, because the storm ends when no booking is left to begin: most bookings are to be
 * played in it.
 */
const clientsFor = (bookings: number) => Math.min(40, Math.ceil(bookings / 5));
/** Such a story lasts about twice as long as there is time for in a storm. */
const lanesFor = (stories: number) => Math.min(20, Math.ceil(stories / 2));
const TICK_MS = 500;
/** However slow the platform or the machine is, a run takes minutes: what has not begun by then is played in calm weather. */
const STORM_AT_MOST_MS = 240_000;
const QUARTER_HOUR_MS = 15 * 60_000;

/** @throws Error for a person to read */
function readOptions(args: string[]): Options | undefined {
  const values = parsed(args);
  if (values.help) return undefined;
  const whole = (name: 'bookings' | 'seed', most: number) => {
    const value = Number(values[name]);
    if (Number.isInteger(value) && value >= 1 && value <= most) return value;
    throw new Error(`--${name} must be a whole number from 1 to ${most}`);
  };
  return {
    bookings: whole('bookings', MOST_BOOKINGS),
    seed: whole('seed', Number.MAX_SAFE_INTEGER),
    keep: values.keep,
  };
}

function parsed(args: string[]) {
  try {
    return parseArgs({
      args,
      options: {
        bookings: { type: 'string', default: '200' },
        seed: { type: 'string', default: String(randomInt(1, 1_000_000)) },
        keep: { type: 'boolean', default: false },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values;
  } catch (error) {
    // The second sentence of Node's error is advice on how to write options that do not exist.
    throw new Error(`${messageOf(error).split('. ')[0]}\n\n${USAGE}`);
  }
}

async function main(args: string[]): Promise<number> {
  const options = readOptions(args);
  if (!options) {
    console.log(USAGE);
    return 0;
  }
  const told = untilToldToStop();
  const dataDir = temporaryDataDir();
  const live = createLiveLine(process.stdout);
  let platform: RunningPlatform | undefined;
  let mailLine: MailLine | undefined;
  let keep = true;
  try {
    const settings = await chaosSettings(dataDir);
    const [linePort = 0] = await freePorts(1);
    mailLine = await openMailLine(linePort, Number(settings.MAIL_SMTP_PORT));
    platform = await startPlatform({
      settings,
      productSettings: { SMTP_URL: mailLine.smtpUrl },
      envFile: 'no env file: all settings are its own',
      isolated: true,
      say: () => undefined,
      signal: told.signal,
    });
    void told.second.then(() => platform?.killAll());
    live.say(pc.dim(`Seed ${options.seed}; the platform started in ${Math.round(platform.tookMs / 1_000)} s`));
    const interrupted = told.first.then(() => {
      throw new Error('Told to stop');
    });
    const violations = await Promise.race([run(platform, mailLine, options, live), interrupted]);
    keep = options.keep || violations.length > 0;
    return violations.length > 0 ? 1 : 0;
  } catch (error) {
    live.end();
    keep = options.keep || !told.signal.aborted;
    throw error;
  } finally {
    await platform?.stop();
    await mailLine?.close();
    if (keep) console.log(`The data folder is kept: ${dataDir} (logs in ${dataDir}/logs; start on it with DATA_DIR)`);
    else removeDataDir(dataDir);
  }
}

async function chaosSettings(dataDir: string): Promise<Record<string, string>> {
  return {
    ...(await ownSettings()),
    DATA_DIR: dataDir,
    // All people of a run share an address; the limit per user stays as it is by default.
    ...NO_LIMITS,
    RATE_LIMIT_API: '',
    SHUTDOWN_GRACE_SECONDS: '5',
  };
}

/** Plays the script in a storm, waits for calm, examines. Prints all of it and returns the violations. */
async function run(
  platform: RunningPlatform,
  mailLine: MailLine,
  { bookings, seed }: Options,
  live: LiveLine,
): Promise<string[]> {
  const started = performance.now();
  const script = writeScript(seed, bookings);
  await tellBanks(platform);
  const people = await signUpCast(platform, script);
  const databases = openDatabases(platform);
  const records = emptyRecords();
  const storm = startStorm(platform, mailLine, databases, seed);
  const operator = startOperator(platform);
  const { callOff, triggerWeek, triggerNight } = operator;
  const time = timeOf({ bookings: databases.database('booking'), payments: databases.database('payment') });
  const cast: Cast = { ...people, ...time, callOff, triggerWeek, triggerNight, stopTemporal: storm.stopTemporal };
  const queue = [...script.plans];
  const earners = [...script.earners];
  const accounts = [...script.accounts];
  const plays = queue.length + earners.length + accounts.length;
  let done = 0;
  const lane = async <T>(left: T[], playOne: (plan: T) => Promise<void>) => {
    for (let plan = left.shift(); plan !== undefined; plan = left.shift()) {
      await playOne(plan);
      done += 1;
    }
  };
  const performed = Promise.all([
    ...Array.from({ length: clientsFor(bookings) }, () => lane(queue, (plan) => play(cast, plan, records))),
    ...Array.from({ length: lanesFor(earners.length) }, () => lane(earners, (plan) => playEarner(cast, plan, records))),
    ...Array.from({ length: lanesFor(accounts.length) }, () =>
      lane(accounts, (plan) => playAccount(cast, plan, records)),
    ),
  ]);
  const progress = () => {
    const retries = [...cast.client.retries.values()].reduce((sum, count) => sum + count, 0);
    const at = Math.round((performance.now() - started) / 1_000);
    return `${at} s  ${done} of ${plays} plays · ${storm.kills.length} kills · ${storm.freezes.length} hung · ${storm.outages.length} outages · ${storm.faults.length} faults · ${retries} retries`;
  };
  const calmAt = performance.now() + STORM_AT_MOST_MS;
  while (queue.length + earners.length + accounts.length > 0 && performance.now() < calmAt) {
    live.show(progress());
    await sleep(TICK_MS);
  }
  const stormMs = performance.now() - started;
  await storm.end();
  live.say(pc.dim(`${progress()}: no more kills and faults, the rest is played to its end`));
  await untilReady(platform);
  const ticker = setInterval(() => live.show(progress()), TICK_MS);
  await performed.finally(() => clearInterval(ticker));
  // An event that was lost is sent again by hand, as in Stripe's dashboard: what nobody asks Stripe about is found by nothing else.
  await cast.dashboard.announceAgain();
  await cast.cardBanks.sayAll();
  await cast.triggerNight();
  await databases.close();
  live.say(pc.dim(`${progress()}: waiting until nothing goes on by itself`));
  const findings = await judge(platform, cast, records, live);
  await operator.leave();
  live.end();
  const { client } = cast;
  const tookMs = performance.now() - started;
  console.log(killList(storm));
  console.log(silenceList(storm));
  console.log(summary({ seed, records, client, storm, operator, findings, stormMs, tookMs }));
  console.log(verdictLine(findings.violations));
  return findings.violations;
}

async function judge(platform: RunningPlatform, cast: Cast, records: Records, live: LiveLine): Promise<Findings> {
  const evidence = await openEvidence(platform);
  try {
    for (;;) {
      const left = await untilSettled(evidence, (now) => {
        if (now.length > 0) live.show(`still ${now.length}: ${now[0]}`);
      });
      const waiting = await sagasThatRun(evidence);
      const findings = await examine(cast, records, evidence);
      const violations = [...left, ...findings.violations];
      const isSame = isDeepStrictEqual(waiting, await sagasThatRun(evidence));
      // A wait may come to its own end while all is looked at, and then what was read does not fit together.
      if (violations.length === 0 || left.length > 0 || isSame) return { ...findings, violations };
    }
  } finally {
    await evidence.close();
  }
}

/** How Stripe and the banks behave in a run: as in life, within seconds instead of days. */
const BANKS = { onboarding: 'required', fundsDelayMs: 5_000, payoutReturnMs: 4_000 };

/** @throws Error when the sandbox does not take it */
async function tellBanks({ urls }: RunningPlatform): Promise<void> {
  const { statusCode, body } = await request(`${urls.stripeSandbox}/sandbox/settings`, {
    ...{ method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(BANKS) },
  });
  await body.dump();
  if (statusCode !== 200) throw new Error(`The sandbox answered ${statusCode} to its settings`);
}

/** Signs up everybody who plays from the start. */
async function signUpCast(
  platform: RunningPlatform,
  script: Script,
): Promise<Omit<Cast, keyof ReturnType<typeof timeOf> | 'stopTemporal' | 'callOff' | 'triggerWeek' | 'triggerNight'>> {
  const { urls } = platform;
  const client = createClient(urls.gateway);
  const run = randomBytes(3).toString('hex');
  const tutors = await Promise.all(
    script.tutors.map(async (offer, index) => {
      const person = await signUp(client, 'tutor', `tutor${index}${run}`);
      await openForBookings(client, person, offer);
      return { ...person, instant: offer.instant };
    }),
  );
  const students = await Promise.all(
    Array.from({ length: script.students }, (_, index) => signUp(client, 'student', `student${index}${run}`)),
  );
  const earners = await Promise.all(
    script.earners.map(({ number }) => signUp(client, 'tutor', `earner${number}${run}`)),
  );
  const admin = await signUpAdmin(client, `admin${run}`, (email) => makeAdmin(platform, email));
  return {
    client,
    mails: () => caughtMails(urls.mailInbox ?? '').catch(() => []), // the catcher is down at the moment
    students,
    tutors,
    earners,
    admin,
    run,
    neighbours: neighbours(script),
    dashboard: createDashboard(urls.stripeSandbox ?? ''),
    cardBanks: createCardBanks(openSandboxLine(urls.stripeSandbox ?? '')),
    startsFrom: Math.ceil(Date.now() / QUARTER_HOUR_MS) * QUARTER_HOUR_MS,
    async bank(intent, verdict) {
      for (;;) {
        const answered = await request(`${urls.stripeSandbox}/sandbox/3ds/${intent}/${verdict}`, {
          method: 'POST',
        }).then(
          async ({ body }) => {
            await body.dump();
            return true;
          },
          () => false, // the sandbox is down at the moment
        );
        if (answered) return;
        await sleep(TICK_MS);
      }
    },
  };
}

/** As `npm run grant-admin` does. @returns the secret of the authenticator that they get with it */
async function makeAdmin({ environment }: RunningPlatform, email: string): Promise<string> {
  const key = identityKey({ IDENTITY_KEY_SECRET: environment.IDENTITY_KEY_SECRET }, 'totp');
  const identity = openDatabase(environment.IDENTITY_DATABASE_URL ?? '', { poolSize: 1, applicationName: 'chaos' });
  try {
    const { enrolment } = await grantAdmin(identity.db, email, { key });
    if (!enrolment) throw new Error('The administrator has a second factor already');
    return enrolment.secret;
  } finally {
    await identity.close();
  }
}

if (require.main === module) {
  main(process.argv.slice(2)).then(
    (code) => process.exit(code),
    (error: unknown) => {
      console.error(pc.red(`The chaos run failed: ${messageOf(error)}`));
      process.exit(1);
    },
  );
}
