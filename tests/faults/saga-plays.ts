import { moneyWithoutPayment, reservationsWithoutRefund } from '../../dev/chaos/half-done';
import { failedWorkflowTasks, historyOf } from '../../dev/chaos/histories';
import { contradictions, workflowTroubles } from '../../dev/chaos/reconciliation';
import { ACCOUNT_MAIL_STEPS } from '../../workflows/account-mail';
import { DEBT_STEPS } from '../../workflows/debt';
import { DISPUTE_STEPS } from '../../workflows/dispute';
import { EMAIL_CHANGE_STEPS } from '../../workflows/email-change';
import { PAYOUT_STEPS } from '../../workflows/payout';
import { SUSPENSION_STEPS } from '../../workflows/suspension';
import { TUTOR_ACCOUNT_STEPS } from '../../workflows/tutor-account';
import { USER_CREATION_STEPS } from '../../workflows/user-creation';
import type { Meeting, SagaFaults } from '../support/fault-proxy';
import { createMarketplace, inTurn, type Marketplace } from '../support/marketplace';
import { haveRetried } from '../support/operator';
import { startTestPlatform, type TestPlatform } from '../support/platform';
import { ACCOUNT_MAILS, accountMails } from './account-mails';
import { DEBTS, debts } from './debts';
import { DISPUTES, disputes } from './disputes';
import { EMAIL_CHANGES, emailChanges } from './email-changes';
import { PAYMENTS, payments } from './payments';
import { earners, PAYOUTS, payouts } from './payouts';
import { REFUNDS, refunds } from './refunds';
import { FAULTS, type Fault, type Row, type SagaTable, type SagaUnderFaults, type Scene } from './saga-table';
import { SIGN_UPS, signUps } from './sign-ups';
import { SUSPENSIONS, suspensions } from './suspensions';
import { TUTOR_ACCOUNTS, tutorAccounts } from './tutor-accounts';

/** The sagas that have a table. */
export type Saga =
  | 'sign-up'
  | 'account-mail'
  | 'email-change'
  | 'tutor-account'
  | 'payment'
  | 'refund'
  | 'payout'
  | 'debt'
  | 'dispute'
  | 'suspension';
const TABLES: Record<Saga, SagaTable> = {
  ...{
    'sign-up': SIGN_UPS,
    'account-mail': ACCOUNT_MAILS,
    'email-change': EMAIL_CHANGES,
    'tutor-account': TUTOR_ACCOUNTS,
    payment: PAYMENTS,
    refund: REFUNDS,
    payout: PAYOUTS,
    debt: DEBTS,
    dispute: DISPUTES,
    suspension: SUSPENSIONS,
  },
};

/** A step of a saga against a fault. */
interface Play {
  saga: Saga;
  row: Row;
  fault: Fault;
  ending: string;
}

/** What a fault lays in a saga's way, and how the play goes on from there. */
interface Course {
  lay(faults: SagaFaults, play: Play): Meeting;
  goOn(play: Play, scene: Scene, meeting: Meeting): Promise<unknown>;
}

const ALWAYS = Number.POSITIVE_INFINITY;
/** As many attempts of a local step as make it go on as a recorded one, and one of that. */
const UNTIL_RECORDED = 8;

/** What sagas say of their steps themselves. */
const SAID: Partial<Record<Saga, Record<string, { runs: Row['runs'] }>>> = {
  ...{
    'sign-up': USER_CREATION_STEPS,
    'account-mail': ACCOUNT_MAIL_STEPS,
    'email-change': EMAIL_CHANGE_STEPS,
    'tutor-account': TUTOR_ACCOUNT_STEPS,
    payout: PAYOUT_STEPS,
    debt: DEBT_STEPS,
    dispute: DISPUTE_STEPS,
    suspension: SUSPENSION_STEPS,
  },
};

/**
 * Plays every step of these sagas against every fault on a platform of their own, and registers a test for each play. All are played at once,
 * so that a file has as many as a machine can bear.
 */
export function playAgainstFaults(chosen: readonly Saga[]): void {
  jest.setTimeout(400_000);

  let platform: TestPlatform;
  let market: Marketplace;
  let sagas: Record<Saga, SagaUnderFaults>;

  const PLAYS = chosen.flatMap((saga) =>
    TABLES[saga].rows.flatMap((row) =>
      (Object.entries(row.cells) as [Fault, Row['cells'][Fault]][]).flatMap(([fault, ending]): Play[] =>
        typeof ending === 'string' ? [{ saga, row, fault, ending }] : [],
      ),
    ),
  );
  /** All at once: most of their time they wait for a pause between two attempts. */
  const played = new Map<Play, Promise<Scene>>();

  const workflow = ({ workflowId }: Scene) => platform.temporal.workflow.getHandle(workflowId);
  const callOf = ({ step, call = step }: Row) => call;
  const attempts = ({ calls = 1 }: Row, times: number) => calls * times;

  /** Resolves with what the service answered to the call that came too late. */
  async function arrivesLate(scene: Scene, held: Meeting): Promise<void> {
    await workflow(scene).result();
    held.release();
    const statuses = await held.answers();
    expect(statuses).toHaveLength(1);
    expect(statuses[0]).toBeLessThan(500);
  }

  const COURSES: Record<Fault, Course> = {
    dead: {
      lay: (faults, { row }) => faults.on(callOf(row), { kind: 'fail' }, ALWAYS),
      async goOn({ row }, _, outage) {
        await outage.met(attempts(row, row.runs === 'local' ? UNTIL_RECORDED : 3));
        outage.release();
      },
    },
    deadAndCancelled: {
      lay: (faults, { row }) => faults.on(callOf(row), { kind: 'fail' }, ALWAYS),
      async goOn({ row }, scene, outage) {
        await outage.met(attempts(row, 2));
        await workflow(scene).cancel();
        if (row.beforePivot) await workflow(scene).result();
        outage.release();
      },
    },
    answerLost: {
      lay: (faults, { row }) => faults.on(callOf(row), { kind: 'lose-answer' }),
      goOn: (_, __, lost) => lost.met(),
    },
    hangs: {
      lay: (faults, { row }) => faults.on(callOf(row), { kind: 'hold' }),
      goOn: (_, scene, held) => arrivesLate(scene, held),
    },
    hangsAndCancelled: {
      lay: (faults, { row }) => faults.on(callOf(row), { kind: 'hold' }),
      async goOn(_, scene, held) {
        await held.met();
        await workflow(scene).cancel();
        await arrivesLate(scene, held);
      },
    },
    refused: {
      // A notice that nobody waits for is tried again whenever its saga looks once more, as a refund's does at a webhook.
      lay: (faults, { row, ending }) =>
        faults.on(callOf(row), { kind: 'refuse', code: 'conflict' }, ending === 'untold' ? ALWAYS : 1),
      async goOn({ row, ending }, { workflowId }, refusal) {
        await refusal.met();
        if (ending === 'done') await haveRetried(platform, workflowId, row.asks ?? row.step);
      },
    },
    undoRefused: {
      lay(faults, { row, saga }) {
        const { lastUndone = row.step } = TABLES[saga];
        faults.on(lastUndone, { kind: 'lose-answer' });
        faults.on(lastUndone, { kind: 'refuse', code: 'conflict' });
        return faults.on(`${row.step}/undo`, { kind: 'refuse', code: 'conflict' });
      },
      async goOn({ row }, { workflowId }, refusal) {
        await refusal.met();
        await haveRetried(platform, workflowId, `undo ${row.step}`);
      },
    },
  };

  beforeAll(async () => {
    platform = await startTestPlatform();
    market = createMarketplace(platform);
    const [student, tutor, crowd, payees, debtors, forgetful, movers, students, keptOut] = await Promise.all([
      market.student(),
      market.tutor({ instant: true }),
      market.students(10),
      market.payees(PLAYS.filter(({ saga }) => saga === 'payout').length),
      market.payees(PLAYS.filter(({ saga }) => saga === 'debt').length),
      market.students(PLAYS.filter(({ saga }) => saga === 'account-mail').length),
      market.students(PLAYS.filter(({ saga }) => saga === 'email-change').length),
      market.students(PLAYS.filter(({ saga }) => saga === 'tutor-account').length),
      market.payees(PLAYS.filter(({ saga }) => saga === 'suspension').length),
    ]);
    await earners(platform, student, payees);
    const payment = payments(platform, student, tutor);
    sagas = {
      'sign-up': signUps(platform, market.people),
      'account-mail': accountMails(platform, inTurn(forgetful)),
      'email-change': emailChanges(platform, inTurn(movers), market),
      'tutor-account': tutorAccounts(platform, inTurn(students)),
      payment,
      refund: refunds(platform, market, { nextStudent: inTurn(crowd), tutor, paid: payment.paid }),
      payout: payouts(platform, inTurn(payees)),
      debt: debts(platform, inTurn(debtors)),
      dispute: disputes(platform, market, { nextStudent: inTurn(crowd), tutor }),
      suspension: suspensions(platform, market, { student, nextPayee: inTurn(keptOut) }),
    };
    for (const one of PLAYS) {
      const scene = play(one);
      scene.catch(() => undefined);
      played.set(one, scene);
    }
  }, 300_000);
  afterAll(() => platform?.stop());

  /** Resolves when the saga has ended. */
  async function play(one: Play): Promise<Scene> {
    const { lay, goOn } = COURSES[one.fault];
    const meetings: Meeting[] = [];
    const scene = await sagas[one.saga].begin(one.row, (faults) => meetings.push(lay(faults, one)));
    for (const meeting of meetings) await goOn(one, scene, meeting);
    await workflow(scene).result();
    return scene;
  }

  const titled = PLAYS.map((one) => ({
    one,
    saga: one.saga,
    step: one.row.step,
    way: one.row.way,
    what: FAULTS[one.fault],
  }));

  test.each(titled)('$saga ($way): $step $what', async ({ one }) => {
    const { saga, row, ending } = one;
    const scene = await played.get(one);
    if (!scene) throw new Error('it was not played');
    expect(await sagas[saga].facts(scene)).toEqual(TABLES[saga].truth(ending, row));
    expect(TABLES[saga].answers(ending, row)).toContain((await scene.asked).status);
    expect(failedWorkflowTasks(await historyOf(platform.temporal, scene.workflowId))).toEqual([]);
  });

  /** Tries are counted in the name of a step. */
  const named = (step: string) => step.replace(/-\d+$/, '-n');

  test.each(chosen)('the table of %s has every step that such a saga was seen to take', (saga) => {
    const { kind, rows } = TABLES[saga];
    const seen = new Set(platform.proxy.seen(kind).map(named));
    expect([...new Set(rows.map(({ step }) => named(step)))].toSorted()).toEqual([...seen].toSorted());
    const places = rows.map(({ step, way }) => `${step} ${way}`);
    expect(new Set(places).size).toBe(places.length);
  });

  test.each(chosen.filter((saga) => saga in SAID))('what %s says of its steps is in its table', (saga) => {
    const steps = TABLES[saga].rows.map(({ step, runs }) => `${step} ${runs}`);
    const said = Object.entries(SAID[saga] ?? {}).map(([step, { runs }]) => `${step} ${runs}`);
    expect(steps).toEqual(expect.arrayContaining(said));
  });

  test('in the end all contexts and Stripe agree, nothing is half-done and no workflow is in trouble', async () => {
    expect(await contradictions(platform)).toEqual([]);
    expect(await reservationsWithoutRefund(platform)).toEqual([]);
    expect(await moneyWithoutPayment(platform)).toEqual([]);
    const { troubles, workflows } = await workflowTroubles(platform, market.people);
    expect(troubles).toEqual([]);
    expect(workflows).toBeGreaterThan(PLAYS.length);
  });
}
