import { cp, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  bundleWorkflowCode,
  DefaultLogger,
  type InjectedSinks,
  makeTelemetryFilterString,
  Runtime,
} from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';
import { SAGAS } from '../kernel/modules';
import { quotedIn, tableOf } from '../tests/support/markdown-tables';
import { replays } from '../tests/support/replays';
import { textOf } from '../tests/support/repository';
import type { ProbedStep, ProbeSinks } from '../tests/support/step-probe';
import { workflowCoverage } from '../tests/support/workflow-coverage';
import { BOOKING_STEPS } from './booking';
import { USER_CREATION_STEPS } from './user-creation';

// A saga that runs in production must go on under new code. Here the code of today replays what real runs recorded, without a server.

const ROOT = join(__dirname, '..');

interface HistoryEvent {
  workflowExecutionStartedEventAttributes?: { workflowId: string };
  activityTaskScheduledEventAttributes?: {
    activityType: { name: string };
    input: { payloads: { data: string }[] };
  };
}
interface Stored {
  saga: string;
  name: string;
  events: HistoryEvent[];
}

type Bundle = Awaited<ReturnType<typeof bundleWorkflowCode>>;

const coverage = workflowCoverage();
let histories: Stored[];
let today: Bundle;

beforeAll(async () => {
  // What is refused on purpose is not worth a line each.
  Runtime.install({
    logger: new DefaultLogger('ERROR', () => undefined),
    telemetryOptions: { logging: { filter: makeTelemetryFilterString({ core: 'ERROR' }) } },
  });
  const folders = await Promise.all(
    SAGAS.map(async (saga) => {
      const folder = join(__dirname, 'histories', saga);
      const files = (await readdir(folder).catch(() => [])).filter((file) => file.endsWith('.json')).toSorted();
      return Promise.all(
        files.map(async (file): Promise<Stored> => {
          const { events } = JSON.parse(await readFile(join(folder, file), 'utf8'));
          return { saga, name: `${saga}/${file.replace(/\.json$/, '')}`, events };
        }),
      );
    }),
  );
  histories = folders.flat();
  // What only sagas of before go by is reached here and nowhere else.
  today = await bundleWorkflowCode(coverage.bundle(optionsOf(ROOT, [join(ROOT, 'tests/support/step-probe.ts')])));
}, 120_000);

/** The workflow code under `root`, as the build bundles it. */
function bundle(root: string, probes: string[] = []): Promise<Bundle> {
  return bundleWorkflowCode(optionsOf(root, probes));
}

const optionsOf = (root: string, probes: string[]) => ({
  workflowsPath: join(root, 'workflows/index.ts'),
  workflowInterceptorModules: [join(root, 'workflows/interceptors.ts'), ...probes],
  logger: new DefaultLogger('ERROR'),
});

/** Replays histories against a bundle; what each one's replay found wrong, and the steps that it asked for. */
async function replay(workflowBundle: Bundle, stored: Stored[]) {
  const outcomes: Record<string, { error: Error | undefined; steps: ProbedStep[] }> = {};
  let steps: ProbedStep[] = [];
  const sinks: InjectedSinks<ProbeSinks> = {
    ...coverage.sinks,
    probe: { step: { fn: (_info, step) => void steps.push(step), callDuringReplay: true } },
  };
  const worker = replays({ workflowBundle, sinks });
  for (const { name, events } of stored) {
    steps = [];
    const id = events[0]?.workflowExecutionStartedEventAttributes?.workflowId ?? '';
    const error = await worker.replay(id, { events }).then(
      () => undefined,
      (refused: Error) => refused,
    );
    outcomes[name] = { error, steps };
  }
  await worker.close();
  return outcomes;
}

afterAll(() => coverage.report());

const historyOf = (name: string): Stored => {
  const found = histories.find((history) => history.name === name);
  if (!found) throw new Error(`there is no history ${name}`);
  return found;
};

/** The workflow code with one edit, bundled elsewhere. */
async function edited(file: string, edit: (code: string) => string): Promise<Bundle> {
  const copy = await mkdtemp(join(tmpdir(), 'edited-workflows-'));
  try {
    const sources = (from: string) => !from.includes('histories') && !from.endsWith('.test.ts');
    for (const folder of ['workflows', 'kernel'])
      await cp(join(ROOT, folder), join(copy, folder), { recursive: true, filter: sources });
    await symlink(join(ROOT, 'node_modules'), join(copy, 'node_modules'));
    const code = await readFile(join(copy, file), 'utf8');
    const changed = edit(code);
    // An edit that changes nothing would make the test below mean nothing.
    if (changed === code) throw new Error(`the edit of ${file} does not fit its code any more`);
    await writeFile(join(copy, file), changed);
    return await bundle(copy);
  } finally {
    await rm(copy, { recursive: true, force: true });
  }
}

let replayed: Awaited<ReturnType<typeof replay>>;
beforeAll(async () => {
  replayed = await replay(today, histories);
}, 120_000);

describe('what was recorded', () => {
  test.each(SAGAS)('there are histories of %s', (saga) => {
    expect(histories.filter((history) => history.saga === saga).length).toBeGreaterThan(0);
  });

  test('all of it goes on under the code of today', () => {
    const broken = Object.entries(replayed).filter(([, { error }]) => error);
    expect(Object.keys(replayed)).toHaveLength(histories.length);
    expect(broken.map(([name, { error }]) => `${name}: ${error?.message}`)).toEqual([]);
  });

  test('recorded steps are asked for with the arguments that were recorded: replay compares ids and types only', () => {
    let compared = 0;
    for (const { name, events } of histories) {
      const recorded = events.flatMap(({ activityTaskScheduledEventAttributes: step }) =>
        step ? [{ type: step.activityType.name, args: step.input.payloads.map(({ data }) => decoded(data)) }] : [],
      );
      const asked = replayed[name]?.steps.filter(({ runs }) => runs === 'recorded') ?? [];
      const alike = asked.map(({ activityType: type, args }, at) => ({
        type,
        args: asBefore(type, args, recorded[at]?.args),
      }));
      expect([name, alike]).toEqual([name, recorded]);
      compared += recorded.length;
    }
    expect(compared).toBeGreaterThan(0);
  });

  test.each(SAGAS)('no timeout or retry of a step of %s changes unnoticed by its profiles.txt', (saga) => {
    const profiles = new Map<string, Set<string>>();
    // A step can run under two profiles, before and after the pivot.
    for (const { name } of histories.filter((history) => history.saga === saga))
      for (const { activityType, runs, options } of replayed[name]?.steps ?? [])
        profiles.set(activityType, (profiles.get(activityType) ?? new Set()).add(inWords(runs, options)));
    const lines = [...profiles]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .flatMap(([step, ways]) => [step, ...[...ways].toSorted().map((way) => `  ${way}`)]);
    expect(lines).toEqual(textOf(`workflows/histories/${saga}/profiles.txt`).trimEnd().split('\n'));
  });
});

describe('what is written of the sagas', () => {
  /** What each step, by its key `<workflowId>/<step>`, was seen to call. */
  const seenOf = (saga: string) => {
    const seen = new Map<string, { calls: Set<string>; runs: Set<string> }>();
    for (const { name } of histories.filter((history) => history.saga === saga)) {
      for (const { activityType, runs, args } of replayed[name]?.steps ?? []) {
        const [input] = args;
        const key = typeof input === 'object' && input !== null && 'key' in input ? String(input.key) : '';
        const step = key.replace(/^[^/]*\//, '');
        const { calls, runs: ways } = seen.get(step) ?? { calls: new Set(), runs: new Set() };
        seen.set(step, { calls: calls.add(activityType), runs: ways.add(runs) });
      }
    }
    return seen;
  };

  test.each([
    ['booking', BOOKING_STEPS],
    ['user-creation', USER_CREATION_STEPS],
  ])('the steps of %s call what its table of steps says', (saga, steps) => {
    const seen = seenOf(saga);
    let undone = 0;
    for (const [step, { does, undo, runs }] of Object.entries(steps)) {
      if (does !== null) {
        expect([step, [...(seen.get(step)?.calls ?? [])]]).toEqual([step, expect.arrayContaining([does])]);
        // Those of before may have run it in another way.
        expect([step, [...(seen.get(step)?.runs ?? [])]]).toEqual([step, expect.arrayContaining([runs])]);
      }
      const undoes = seen.get(`${step}/undo`)?.calls;
      if (undoes) expect([step, ...undoes]).toEqual([step, undo]);
      undone += undoes ? 1 : 0;
    }
    expect(undone).toBeGreaterThan(1);
  });

  test.each(SAGAS)(
    'the page of %s names everything that the saga calls, in its table whether it is recorded',
    (saga) => {
      const ways = new Map<string, Set<string>>();
      for (const { name } of histories.filter((history) => history.saga === saga))
        for (const { activityType, runs } of replayed[name]?.steps ?? [])
          ways.set(activityType, (ways.get(activityType) ?? new Set()).add(runs));
      const rows = tableOf(`docs/sagas/${saga}.md`, 'Steps');
      const said = new Map<string, Set<string>>();
      for (const row of rows)
        for (const name of quotedIn(`${row.step} ${row.do}`))
          said.set(name, (said.get(name) ?? new Set()).add(/^(local|recorded)/.exec(row.runs ?? '')?.[0] ?? ''));
      const undos = new Set(rows.flatMap((row) => quotedIn(row.undo ?? '')));
      const untold = [...ways].filter(
        ([name, runs]) => ![...runs].every((run) => said.get(name)?.has(run)) && !undos.has(name),
      );
      expect(untold.map(([name, runs]) => `${name}: ${[...runs]}`)).toEqual([]);
    },
  );
});

describe('a change that running sagas would not survive is caught', () => {
  const REASON = /nondeterminis|non-determinis|TMPRL1100/i;

  test.each([
    [
      'a local step added',
      'workflows/booking.ts',
      'const authorized = terms.instantBooking',
      "await act.extendHold({ bookingId, expiresAt: startsAt, key: 'added' });\n$&",
    ],
    [
      'a recorded step added',
      'workflows/booking.ts',
      'const authorized = terms.instantBooking',
      "await moneyMust.settleToZero({ bookingId, key: 'added' });\n$&",
    ],
    ['a step taken away', 'workflows/booking.ts', /await saga\.forward\('confirm', [^;]*;/, ''],
    ['a step renamed', 'workflows/booking.ts', 'money.chargePayment', 'money.authorizePayment'],
  ])(
    '%s',
    async (_, file, from, to) => {
      const changed = await edited(file, (code) => code.replace(from, to));
      const { error } = (await replay(changed, [historyOf('booking/confirmed.v1')]))['booking/confirmed.v1'] ?? {};
      expect(error).toBeInstanceOf(DeterminismViolationError);
      expect(error?.message).toMatch(REASON);
    },
    30_000,
  );

  test('a history that the code cannot have made', async () => {
    const text = JSON.stringify(historyOf('booking/confirmed.v1').events);
    const doctored = text.replaceAll('"chargePayment"', '"chargeTwice"');
    expect(doctored).not.toBe(text);
    const stored: Stored = { saga: 'booking', name: 'doctored', events: JSON.parse(doctored) };
    const { error } = (await replay(today, [stored])).doctored ?? {};
    expect(error).toBeInstanceOf(DeterminismViolationError);
    expect(error?.message).toMatch(REASON);
  });
});

/** What steps are told today that they were not told before: a member, whose lack their activities understand. */
const TOLD_SINCE: Record<string, string> = { releaseEarnings: 'notBefore' };

/** Arguments without what the recorded ones could not have. */
function asBefore(type: string, args: unknown[], recorded: unknown[] = []): unknown[] {
  const member = TOLD_SINCE[type];
  if (member === undefined || recorded.some((arg) => hasMember(arg, member))) return args;
  return args.map((arg) =>
    hasMember(arg, member) ? Object.fromEntries(Object.entries(arg).filter(([name]) => name !== member)) : arg,
  );
}

const hasMember = (arg: unknown, member: string): arg is object =>
  typeof arg === 'object' && arg !== null && member in arg;

function decoded(data: string): unknown {
  return JSON.parse(Buffer.from(data, 'base64').toString());
}

/** `recorded, startToClose 45s, …`: one line that a reviewer of the snapshot can read. */
function inWords(runs: string, options: object): string {
  const words = (value: unknown): string =>
    typeof value === 'object' && value !== null
      ? Object.entries(value)
          .filter(([, member]) => member !== undefined)
          .toSorted(([a], [b]) => a.localeCompare(b))
          .map(([name, member]) => `${name} ${words(member)}`)
          .join(', ')
      : String(value);
  return `${runs}: ${words(options)}`;
}
