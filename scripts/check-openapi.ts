import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { request } from 'undici';
import { createClient } from '../dev/chaos/client';
import { askAs, openForBookings, PASSWORD, type Person, SUBJECT, signUp } from '../dev/chaos/people';
import { cacheFolder } from '../dev/machine/cache';
import { messageOf } from '../dev/machine/error-code';
import { runCommand } from '../dev/machine/run-command';
import { removeDataDir, temporaryDataDir } from '../dev/machine/temporary-data';
import { NO_LIMITS, ownSettings } from '../dev/stack/own-platform';
import { type RunningPlatform, startPlatform } from '../dev/stack/platform';
import { uncaughtIn } from '../dev/stack/uncaught';
import { type Finding, findingsIn, whyKnown } from './openapi-findings';

/**
 * `npm run check:openapi`: has Schemathesis (https://schemathesis.readthedocs.io) make requests of the reference, valid and not, one by one and
 * in sequences, and send them to a platform of its own as a student and as a tutor. A stranger looks at what each of them sees.
 * Whatever the reference allows has to be taken, whatever it does not has to be refused, and every reply has to be one that it tells of.
 */

const VERSION = '4.32.5';
const USAGE = `npm run check:openapi                            30 requests of each kind to every operation
npm run check:openapi -- --examples 200 --seed 7  so many; the same seed makes the same requests`;

interface Options {
  examples: string;
  seed: string;
}

/** @throws Error for a person to read */
function readOptions(args: string[]): Options {
  const { values } = parseArgs({
    args,
    options: { examples: { type: 'string', default: '30' }, seed: { type: 'string', default: '1' } },
  });
  for (const [name, value] of Object.entries(values))
    if (!/^[1-9]\d{0,5}$/.test(value)) throw new Error(`--${name} must be a whole number from 1 to 999999\n\n${USAGE}`);
  return values;
}

async function main(args: string[]): Promise<void> {
  const options = readOptions(args);
  const schemathesis = await installed();
  const dataDir = temporaryDataDir();
  const folder = await mkdtemp(join(tmpdir(), 'tutorconnect-openapi-'));
  let platform: RunningPlatform | undefined;
  try {
    const settings = { ...(await ownSettings()), ...NO_LIMITS, RATE_LIMIT_API: 'off', DATA_DIR: dataDir };
    platform = await startPlatform({ settings, envFile: 'no env file: all settings are its own' });
    await requireWhole(platform.urls.gateway);
    const findings: Finding[] = [];
    for (const pair of await castOf(platform))
      findings.push(...(await attack(platform, pair, { ...options, schemathesis, folder })));
    judge(findings, uncaughtIn(dataDir));
  } finally {
    await platform?.stop();
    await rm(folder, { recursive: true, force: true });
    removeDataDir(dataDir);
  }
}

/** @throws Error when the reference is without the part of a service: what it does not tell of is not attacked */
async function requireWhole(gateway: string): Promise<void> {
  const { headers, body } = await request(`${gateway}/openapi.json`);
  await body.dump();
  if (headers['x-degraded']) throw new Error(`The reference is incomplete: ${headers['x-degraded']} is missing`);
}

/** Who attacks, and a stranger of the same role. */
interface Pair {
  person: Person;
  stranger: Person;
}

/** A student and a tutor with a session between them, so that there is something to be found. */
async function castOf(platform: RunningPlatform): Promise<Pair[]> {
  const client = createClient(platform.urls.gateway);
  const [student, otherStudent, tutor, otherTutor] = await Promise.all([
    signUp(client, 'student', 'student'),
    signUp(client, 'student', 'otherstudent'),
    signUp(client, 'tutor', 'tutor'),
    signUp(client, 'tutor', 'othertutor'),
  ]);
  await openForBookings(client, tutor, { hourly: 4_500, instant: true });
  const start = new Date();
  start.setUTCHours(72, 0, 0, 0);
  const reply = await askAs(client, student, 'POST', '/api/bookings', {
    key: 'first',
    body: {
      tutorId: tutor.id,
      subject: SUBJECT,
      scheduledAt: start.toISOString(),
      durationMinutes: 60,
      paymentMethodId: 'pm_card_visa',
    },
  });
  if (reply.status !== 201) throw new Error(`The first booking was answered ${reply.status} ${reply.code ?? ''}`);
  return [
    { person: student, stranger: otherStudent },
    { person: tutor, stranger: otherTutor },
  ];
}

interface Attack extends Options {
  schemathesis: string;
  folder: string;
}

/** What one person finds. @throws Error when Schemathesis could not do its work */
async function attack(platform: RunningPlatform, { person, stranger }: Pair, options: Attack): Promise<Finding[]> {
  const { folder, schemathesis, examples, seed } = options;
  const config = join(folder, 'schemathesis.toml');
  const logins = join(folder, 'logins.json');
  const report = join(folder, `${person.role}.ndjson`);
  await writeFile(logins, JSON.stringify({ auth: [loginOf('person', person), loginOf('stranger', stranger)] }));
  const who = 'user = "person"\npeers = ["person", "stranger"]\n';
  await writeFile(config, `[auth.wfc]\npath = ${JSON.stringify(logins)}\n${who}`);
  console.log(`As a ${person.role}: ${examples} examples, seed ${seed}`);
  const run = ['--config-file', config, 'run', `${platform.urls.gateway}/openapi.json`];
  const depth = ['--phases', 'coverage,fuzzing,stateful', '--max-examples', examples, '--seed', seed];
  const output = ['--report', 'ndjson', '--report-ndjson-path', report, '--no-color'];
  const { code, output: said } = await runCommand(
    schemathesis,
    [...run, ...depth, '--checks', 'all', '--continue-on-failure', ...output],
    {
      // It keeps what it found in the folder where it is, and would begin with that the next time.
      cwd: folder,
      onLine: (line) => /generated,/.test(line) && console.log(line),
      timeoutMs: 1_800_000,
    },
  );
  // 1 says that there are findings.
  if ((code !== 0 && code !== 1) || /^Errors:/m.test(said))
    throw new Error(`Schemathesis could not do its work\n${said}`);
  return findingsIn(await readFile(report, 'utf8'));
}

/** How somebody signs in, as Web Fuzzing Commons writes it down. */
function loginOf(name: 'person' | 'stranger', { email }: Person) {
  return {
    name,
    loginEndpointAuth: {
      verb: 'POST',
      endpoint: '/api/auth/login',
      contentType: 'application/json',
      payloadRaw: JSON.stringify({ email, password: PASSWORD }),
      token: {
        extractFrom: 'body',
        extractSelector: '/tokens/accessToken',
        sendIn: 'header',
        sendName: 'Authorization',
        sendTemplate: 'Bearer {token}',
      },
    },
  };
}

/** @throws Error that lists what nothing excuses */
function judge(findings: Finding[], uncaught: string[]): void {
  const excuses = new Set<string>();
  const offences: string[] = [];
  for (const finding of findings) {
    const why = whyKnown(finding);
    if (why !== undefined) excuses.add(why);
    else offences.push(sentenceOf(finding));
  }
  for (const why of excuses) console.log(`Known: ${why}`);
  if (offences.length + uncaught.length > 0)
    throw new Error(['The reference and the platform disagree:', ...offences, ...uncaught].join('\n  '));
  console.log('The reference says what the platform does');
}

function sentenceOf({ operation, check, status, code, fields, example, times }: Finding): string {
  return `${operation}: ${check}, ${times} times: ${status} ${code} ${fields.join(', ')}\n    ${example}`;
}

/** Schemathesis in a virtual environment of its own, made when there is none. @throws Error saying what to install */
async function installed(): Promise<string> {
  const cached = join(cacheFolder(), `schemathesis-${VERSION}`);
  const program = join(cached, 'bin', 'schemathesis');
  if ((await runCommand(program, ['--version'], { timeoutMs: 60_000 })).code === 0) return program;
  console.log(`Installing Schemathesis ${VERSION} from PyPI, once`);
  await mkdir(cacheFolder(), { recursive: true });
  await rm(cached, { recursive: true, force: true });
  // A virtual environment knows its own path, so it cannot be made elsewhere and moved; without the program it is made anew.
  const environment = await runCommand('python3', ['-m', 'venv', cached], { timeoutMs: 120_000 });
  if (environment.code !== 0)
    throw new Error(
      `No virtual environment could be made; is Python 3.10 or newer installed, with venv?\n${environment.output}`,
    );
  const pip = ['-m', 'pip', 'install', '--quiet', `schemathesis==${VERSION}`];
  const packages = await runCommand(join(cached, 'bin', 'python'), pip, { timeoutMs: 600_000 });
  if (packages.code !== 0) throw new Error(`Schemathesis could not be installed\n${packages.output}`);
  return program;
}

main(process.argv.slice(2)).then(
  () => process.exit(),
  (error: unknown) => {
    console.error(messageOf(error));
    process.exit(1);
  },
);
