import { failedWorkflowTasks, historyOf, succeededActivities } from '../../dev/chaos/histories';
import { contradictions, workflowTroubles } from '../../dev/chaos/reconciliation';
import { BOOKING_STEPS } from '../../workflows/booking';
import { ENDING_STEPS } from '../../workflows/booking-confirmed';
import { MOVE_STEPS } from '../../workflows/booking-moves';
import type { Meeting, SagaFaults } from '../support/fault-proxy';
import { createMarketplace, type Marketplace } from '../support/marketplace';
import { haveRetried } from '../support/operator';
import { startTestPlatform, type TestPlatform } from '../support/platform';
import { type ConfirmedScenes, createConfirmedScenes, type Scene } from './confirmed-scenes';
import {
  type Answer,
  CANCEL_ANSWERED,
  FAULTS,
  type Fault,
  type Outcome,
  type Row,
  TABLE,
  TRUTHS,
  WAYS,
} from './confirmed-table';
import { turns } from './saga-table';

/** A step against a fault. */
interface Play {
  row: Row;
  fault: Fault;
  outcome: Outcome;
}

/** What was seen of a play, beside the facts. */
interface Seen {
  scene: Scene;
  answer: Answer;
  /** To the other side's cancel. */
  cancelAnswer?: Answer;
  /** What the rival got while the step was held. */
  meanwhile?: string[];
  /** What the rival got when all was over. */
  afterwards: Record<string, string>;
}

/** One that has been begun: it was asked for, and has met its fault. */
interface Begun {
  scene: Scene;
  asked: Promise<Answer>;
  met: Meeting;
}

/** How a fault is laid before anything is asked, and how the play goes on once it has met. */
interface Course {
  lay(faults: SagaFaults, play: Play, scene: Scene): Meeting | Promise<Meeting>;
  goOn(play: Play, begun: Begun): Promise<Partial<Seen>>;
}

jest.setTimeout(120_000);

const ALWAYS = Number.POSITIVE_INFINITY;
/** So many plays begin beside each other: a move is given up when a busy platform takes too long. */
const inTurn = turns(5);

let platform: TestPlatform;
let market: Marketplace;
let scenes: ConfirmedScenes;

const PLAYS = (Object.keys(FAULTS) as Fault[]).flatMap((fault) =>
  TABLE.flatMap((row): Play[] => {
    const outcome = row.cells[fault];
    return 'impossible' in outcome ? [] : [{ row, fault, outcome }];
  }),
);
const played = new Map<Play, Promise<Seen>>();

const isOver = ({ outcome: { ending } }: Play) => ending !== 'moved' && ending !== 'stays';
const isMove = ({ row }: Play) => row.way === 'move';

/** The times that nobody else may get while the step does not succeed. */
function keptMeanwhile({ row: { way, step } }: Play): ('old' | 'new')[] {
  if (way !== 'move') return [];
  return step === 'admit' || step === 'reserve-slot' ? ['old'] : ['old', 'new'];
}

/** What hangs is let go once it no longer matters; the service has to take it, or to refuse it. */
async function arrivesLate(play: Play, { scene, asked, met: held }: Begun): Promise<void> {
  if (!isOver(play)) await asked;
  await scenes.settled(scene, isOver(play));
  held.release();
  const statuses = await held.answers();
  expect(statuses.length).toBeGreaterThan(0);
  for (const status of statuses) expect(status).toBeLessThan(500);
}

const COURSES: Record<Exclude<Fault, 'killed'>, Course> = {
  failing: {
    lay: (faults, { row }) => faults.on(row.call, { kind: 'fail' }, ALWAYS),
    async goOn(play, { scene, met: outage }) {
      await outage.met(play.row.outlasts);
      const meanwhile = await Promise.all(keptMeanwhile(play).map((time) => scenes.tryFor(scene, scene[time])));
      outage.release();
      return { meanwhile };
    },
  },
  hangs: {
    lay: (faults, { row }) => faults.on(row.call, { kind: 'hold' }),
    async goOn(play, begun) {
      await arrivesLate(play, begun);
      return {};
    },
  },
  hangsAndCancelled: {
    // A step that must happen hangs once, or nothing would ever be over.
    lay: (faults, play) => faults.on(play.row.call, { kind: 'hold' }, isMove(play) ? ALWAYS : 1),
    async goOn(play, begun) {
      const { answered } = await scenes.cancelByOther(begun.scene);
      await arrivesLate(play, begun);
      return { cancelAnswer: await answered };
    },
  },
  cancelled: {
    lay: (faults, { row }) => faults.on(row.call, { kind: 'hold-answer' }, ALWAYS),
    async goOn(_, { scene, met: held }) {
      const { answered } = await scenes.cancelByOther(scene);
      held.release();
      return { cancelAnswer: await answered };
    },
  },
  refused: {
    lay: refusal,
    async goOn({ row, outcome }, { scene, met }) {
      if (outcome.ending !== 'stays') await haveRetried(platform, `booking:${scene.id}`, row.asks);
      else if (row.step === 'booking') await takeStudentsTime(scene).finally(met.release);
      return {};
    },
  },
  undoRefused: {
    lay(faults, { row }) {
      faults.on('reschedule-n/booking', { kind: 'refuse', code: 'conflict' });
      return faults.on(`${row.call}/undo`, { kind: 'refuse', code: 'conflict' });
    },
    async goOn({ row }, { scene }) {
      await haveRetried(platform, `booking:${scene.id}`, `undo ${row.asks}`);
      return {};
    },
  },
  answerLost: {
    lay: (faults, { row }) => faults.on(row.call, { kind: 'lose-answer' }),
    goOn: async () => ({}),
  },
};

const takeStudentsTime = (scene: Scene) => scenes.mustBook(scene.student, scenes.second.tutor, scene.new);

/** The refusal of the real service where there is a way to get one: a session in the way of the move. */
async function refusal(faults: SagaFaults, { row }: Play, scene: Scene): Promise<Meeting> {
  // Nothing else happens to it.
  const passing = () => faults.on(row.call, { kind: 'hold-answer' });
  if (row.step === 'admit') {
    await takeStudentsTime(scene);
    return letPass(passing());
  }
  if (row.step === 'reserve-slot') {
    await scenes.mustBook(scenes.second.rival, scene.tutor, scene.new);
    return letPass(passing());
  }
  // Between the admission and the switch the student books another session.
  if (row.step === 'booking') return faults.on(row.call, { kind: 'hold' }, ALWAYS);
  return faults.on(row.call, { kind: 'refuse', code: 'conflict' });
}

function letPass(held: Meeting): Meeting {
  void held.met().then(held.release);
  return held;
}

beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
  scenes = await createConfirmedScenes(platform, market);
  await killAtEveryStep();
  for (const one of PLAYS) if (one.fault !== 'killed') keep(one, play(one));
}, 300_000);
afterAll(() => platform?.stop());

function keep(one: Play, seen: Promise<Seen>): void {
  seen.catch(() => undefined);
  played.set(one, seen);
}

/** One kill for all steps at once, and first. Every attempt is held until the worker is dead. */
async function killAtEveryStep(): Promise<void> {
  const cast = await Promise.all(
    PLAYS.filter(({ fault }) => fault === 'killed').map((one) =>
      inTurn(async () => ({ one, scene: await scenes.confirmed(one.row.way) })),
    ),
  );
  const begun = await Promise.all(
    cast.map(({ one, scene }) =>
      begin(scene, (faults) => faults.on(one.row.call, { kind: 'hold-answer' }, ALWAYS)).then((here) => ({
        one,
        here,
      })),
    ),
  );
  await platform.killBookingWorker(async () => {
    for (const { here } of begun) here.met.release();
  });
  for (const { one, here } of begun) keep(one, finish(one, here, {}));
}

/** Asks, and resolves when the fault has met. */
async function begin(scene: Scene, lay: (faults: SagaFaults) => Meeting | Promise<Meeting>): Promise<Begun> {
  const met = await lay(platform.proxy.of('booking', scene.id));
  const asked = scenes.ask(scene);
  asked.catch(() => undefined);
  await met.met();
  return { scene, asked, met };
}

async function play(one: Play): Promise<Seen> {
  if (one.fault === 'killed') throw new Error('the kill is one for all');
  const { lay, goOn } = COURSES[one.fault];
  const begun = await inTurn(async () => {
    const scene = await scenes.confirmed(one.row.way);
    return begin(scene, (faults) => lay(faults, one, scene));
  });
  return finish(one, begun, await goOn(one, begun));
}

/** Waits for the end of it all, and then lets the rival ask for the times. */
async function finish(one: Play, { scene, asked }: Begun, seen: Partial<Seen>): Promise<Seen> {
  const answer = await asked;
  await scenes.settled(scene, isOver(one));
  const afterwards: Seen['afterwards'] = {};
  if ('old' in one.outcome.open) afterwards.old = await scenes.tryFor(scene, scene.old);
  if ('new' in one.outcome.open) afterwards.new = await scenes.tryFor(scene, scene.new);
  return { scene, answer, afterwards, ...seen };
}

const titled = PLAYS.map((one) => ({ one, way: one.row.way, step: one.row.step, what: FAULTS[one.fault] }));

test.each(titled)('$way: $step $what', async ({ one }) => {
  const { outcome, row, fault } = one;
  const seen = await played.get(one);
  if (!seen) throw new Error('it was not played');
  expect(await scenes.facts(seen.scene)).toEqual(TRUTHS[outcome.ending]);
  expect(seen.answer).toEqual(outcome.answer);
  expect(seen.afterwards).toEqual(outcome.open);
  if (fault === 'failing') expect(seen.meanwhile).toEqual(keptMeanwhile(one).map(() => 'taken'));
  if (fault === 'cancelled' || fault === 'hangsAndCancelled')
    expect(seen.cancelAnswer).toEqual(CANCEL_ANSWERED[row.way]);
  expect(failedWorkflowTasks(await historyOf(platform.temporal, `booking:${seen.scene.id}`))).toEqual([]);
});

test('the table has every step against every fault exactly once', () => {
  const steps = { move: MOVE_STEPS, ...ENDING_STEPS };
  for (const way of WAYS)
    expect(TABLE.filter((row) => row.way === way).map(({ step }) => step)).toEqual(Object.keys(steps[way]));
  for (const { cells } of TABLE) {
    expect(Object.keys(cells).toSorted()).toEqual(Object.keys(FAULTS).toSorted());
    for (const cell of Object.values(cells)) if ('impossible' in cell) expect(cell.impossible).not.toBe('');
  }
});

test('a confirmed booking did nothing that is not a step of the table, and every step of it', async () => {
  const before = new Set<string>([...Object.values(BOOKING_STEPS).map(({ does }) => does), 'confirmBooking']);
  const done = new Set<string>();
  for (const seen of await Promise.all(played.values())) {
    const activities = succeededActivities(await historyOf(platform.temporal, `booking:${seen.scene.id}`));
    for (const name of activities) if (!before.has(name) && name !== 'notifyBooking') done.add(name);
  }
  const said = new Set(TABLE.flatMap(({ does, undo }) => (undo === null ? [does] : [does, undo])));
  expect([...done].toSorted()).toEqual([...said].toSorted());
});

test('a session that is moved onto the student’s other one stays, and nobody gets its time, however many ask meanwhile', async () => {
  const { first, second } = scenes;
  const others = [first.rival, second.rival];
  for (let round = 0; round < 2; round++) {
    const scene = await scenes.confirmed('move');
    await takeStudentsTime(scene);
    let isAnswered = false;
    const asking = others.map(async (other) => {
      const got: boolean[] = [];
      while (!isAnswered) got.push((await scenes.book(other, scene.tutor, scene.old)).isConfirmed);
      return got;
    });
    const answer = await scenes.ask(scene);
    isAnswered = true;
    expect(answer).toEqual([409, 'conflict']);
    for (const got of await Promise.all(asking)) expect([got.length > 0, got.includes(true)]).toEqual([true, false]);
    expect(await scenes.facts(scene)).toEqual(TRUTHS.stays);
    const confirmed = await platform.database('booking')<{ id: string }[]>`
      select id from bookings where tutor_id = ${scene.tutor.id} and starts_at = ${scene.old} and status = 'confirmed'`;
    expect(confirmed.map(({ id }) => id)).toEqual([scene.id]);
  }
});

test('in the end all contexts and Stripe agree, and no workflow is in trouble', async () => {
  expect(await contradictions(platform)).toEqual([]);
  const { troubles, workflows } = await workflowTroubles(platform, market.people);
  expect(troubles).toEqual([]);
  expect(workflows).toBeGreaterThan(PLAYS.length);
});
