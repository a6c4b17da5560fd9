import { faultBody } from '../stripe-sandbox/world/faults';
import { beforeMove, claimOf, meet, neighbours, sessionOf } from './places';
import type { BookingPlan, DisputePlan, Script } from './plan';
import { writeScript } from './script';
import { planTroubles } from './troubles';

const NAMES = ['gateway', 'booking', 'postgres', 'temporal'];
const troublesOf = (seed: number) => {
  const { nextKill, nextFault, nextPayoutFault, nextDisputeFault, nextFreeze, nextOutage, nextCut } =
    planTroubles(seed);
  const many = <T>(next: () => T) => Array.from({ length: 200 }, next);
  return {
    kills: many(() => nextKill(NAMES)),
    faults: many(nextFault),
    payoutFaults: many(nextPayoutFault),
    disputeFaults: many(nextDisputeFault),
    freezes: many(() => nextFreeze(NAMES)),
    outages: many(nextOutage),
    cuts: many(nextCut),
  };
};
const bookingsOf = ({ plans }: Script) => plans.filter((plan): plan is BookingPlan => plan.kind === 'booking');

/** Pairs of bookings of one person whose sessions share time before anybody moves them. */
function collisions(bookings: BookingPlan[], of: 'student' | 'tutor'): [BookingPlan, BookingPlan][] {
  return bookings.flatMap((one, index) =>
    bookings
      .slice(index + 1)
      .filter((other) => one[of] === other[of] && meet(one.slot, other.slot))
      .map((other): [BookingPlan, BookingPlan] => [one, other]),
  );
}

test('the same seed plays and kills the same, another one something else', () => {
  expect(writeScript(7, 120)).toEqual(writeScript(7, 120));
  expect(troublesOf(7)).toEqual(troublesOf(7));
  expect(writeScript(8, 120)).not.toEqual(writeScript(7, 120));
  expect(troublesOf(8)).not.toEqual(troublesOf(7));
});

test.each([1, 20, 200, 1_000])(
  'of %i bookings a slot is wanted twice only where a rival is meant to want it',
  (count) => {
    const bookings = bookingsOf(writeScript(3, count));
    expect(bookings).toHaveLength(count);
    expect(collisions(bookings, 'student')).toEqual([]);
    for (const [one, other] of collisions(bookings, 'tutor')) {
      expect([one.slot, other.rivalOf !== undefined]).toEqual([other.slot, true]);
    }
  },
);

test('a run of the usual length has some of everything that people do', () => {
  const script = writeScript(1, 200);
  const bookings = bookingsOf(script);
  const others = script.plans.filter(({ kind }) => kind !== 'booking');
  const moves = bookings.flatMap((plan) => plan.moves);
  const refunds = bookings.flatMap((plan) => plan.refunds);
  const some = (what: (plan: BookingPlan) => boolean) => bookings.filter(what).length > 0;
  expect([
    some(({ rivalOf }) => rivalOf !== undefined),
    some(({ copies }) => copies > 1),
    moves.some(({ by }) => by === 'student'),
    moves.some(({ by }) => by === 'tutor'),
    moves.some(({ claimedBy }) => claimedBy !== undefined),
    some(({ slot, moves: [move] }) => slot.refundPercent < 100 && move?.by === 'tutor'),
    some(({ slot, moves }) => moves.some(({ to }) => meet(to, slot))),
    some(({ moves }) => moves.length > 1),
    some(({ timePasses }) => timePasses),
    some(({ timePasses }) => !timePasses),
    some(({ lapses }) => lapses),
    ...(['tutor', 'dashboard'] as const).flatMap((by) =>
      (['before', 'beside'] as const).map((when) => refunds.some((one) => one.by === by && one.when === when)),
    ),
    refunds.some(({ losesWebhooks }) => losesWebhooks),
    some(({ tutorCancels }) => tutorCancels),
    some(({ givesUp }) => givesUp),
    ...['payment', 'sign-up'].map((kind) => others.some((plan) => plan.kind === kind && plan.givesUp)),
    others.some((plan) => plan.kind === 'payment' && plan.withoutTemporal && plan.refundPercents.length > 0),
    some(({ slot, studentCancels }) => slot.refundPercent === 50 && studentCancels === 'confirmed'),
    some(({ slot }) => slot.refundPercent === 0),
    ...(['none', 'complete', 'fail', 'abandon'] as const).map((bank) => some((plan) => plan.bank === bank)),
    ...(['confirm', 'decline', 'none'] as const).map((answer) => some((plan) => plan.answer === answer)),
  ]).not.toContain(false);
});

test('sessions are moved to where their student or their tutor has another one, while others want the time that they leave', () => {
  const script = writeScript(1, 200);
  const { ofStudent, ofTutor } = neighbours(script);
  const moves = bookingsOf(script).flatMap((plan) => plan.moves.map((move, index) => ({ plan, move, index })));
  const ontoOwn = moves.filter(({ plan, move }) => ofStudent(sessionOf(plan), plan.student, move.to));
  expect(ontoOwn.filter(({ move }) => move.claimedBy !== undefined).length).toBeGreaterThan(3);
  const ontoTaken = moves.filter(({ plan, move }) => ofTutor(sessionOf(plan), plan.tutor, move.to));
  expect(ontoTaken.length).toBeGreaterThan(3);
  for (const { plan, move, index } of moves) {
    if (move.claimedBy === undefined) continue;
    expect(move.claimedBy).not.toBe(plan.student);
    expect(ofTutor(claimOf(plan, index), plan.tutor, beforeMove(plan, index))).toBe(true);
  }
});

test('nobody moves a session to less than two hours from now, and a student none that is less than a day away', () => {
  for (const { slot, moves } of bookingsOf(writeScript(5, 1_000))) {
    for (const { by, to } of moves) {
      expect(to.minutesAhead).toBeGreaterThanOrEqual(4 * 60);
      if (by === 'student') expect(Math.min(slot.minutesAhead, to.minutesAhead)).toBeGreaterThan(48 * 60);
    }
  }
});

test('the sandbox knows every fault, every process is killed and hangs, and every vendor is silent', () => {
  const { kills, faults, payoutFaults, disputeFaults, freezes, outages, cuts } = troublesOf(11);
  expect(new Set(cuts.map(({ restarts }) => restarts))).toEqual(new Set([true, false]));
  for (const { outage } of outages)
    if (outage.kind === 'stripe hangs') expect(faultBody.safeParse(outage.fault).error).toBeUndefined();
  expect(new Set(freezes.map(({ name }) => name))).toEqual(new Set(NAMES));
  expect(new Set(outages.map(({ outage }) => outage.kind))).toEqual(
    new Set(['mail hangs', 'mail drips', 'stripe hangs']),
  );
  for (const { fault } of [...faults, ...payoutFaults, ...disputeFaults])
    expect(faultBody.safeParse(fault).error).toBeUndefined();
  expect(new Set(kills.map(({ name }) => name))).toEqual(new Set(NAMES));
});

test.each([20, 40, 200, 1_000])('with %i bookings payees of each kind earn, and are paid out in each way', (count) => {
  const { earners } = writeScript(1, count);
  const rounds = earners.flatMap((plan) => plan.rounds);
  expect(new Set(earners.map(({ starts }) => starts)).size).toBeGreaterThanOrEqual(Math.min(earners.length, 6));
  expect(rounds.length).toBeGreaterThanOrEqual(count / 2);
  expect([rounds.some(({ by }) => 'week' in by), rounds.some(({ by }) => 'button' in by)]).toEqual([true, true]);
});

test('a run of the usual length has some of everything that becomes of payouts', () => {
  const { earners } = writeScript(1, 200);
  const rounds = earners.flatMap((plan) => plan.rounds);
  const buttons = rounds.flatMap(({ by }) => ('button' in by ? [by.button] : []));
  expect([
    ...(['EUR', 'USD'] as const).map((currency) => earners.some((plan) => plan.currency === currency)),
    ...(['nothing', 'no bank', 'takes', 'closed', 'passing', 'returns'] as const).map((starts) =>
      earners.some((plan) => plan.starts === starts),
    ),
    ...(['before', 'waiting', 'never'] as const).map((mends) => rounds.some((round) => round.mends === mends)),
    ...(['beside', 'after'] as const).map((when) => rounds.some(({ clawback }) => clawback?.when === when)),
    ...[true, false].map((givesUp) => rounds.some((round) => round.givesUp === givesUp)),
    rounds.some(({ by }) => 'week' in by && by.week > 1),
    ...[(copies: number) => copies > 1, (copies: number) => copies === 1].map((holds) =>
      buttons.some(({ copies }) => holds(copies)),
    ),
    buttons.some(({ rivals }) => rivals > 0),
    buttons.some(({ percent }) => percent < 100),
  ]).not.toContain(false);
});

test('faults meet every request of a payout, each is refused now and then, and webhooks of Connect are lost, doubled and late', () => {
  const faults = troublesOf(11).payoutFaults.map(({ fault: { kind, match } }) => `${kind} ${JSON.stringify(match)}`);
  const some = (...words: string[]) => faults.some((fault) => words.every((word) => fault.includes(word)));
  const paths = ['/v1/transfers', '/v1/transfers/*/reversals', '/v1/payouts', '/v1/accounts/*', '/v1/balance'];
  expect(paths.filter((path) => !some(`"path":"${path}"`))).toEqual([]);
  expect(paths.slice(0, 3).filter((path) => !some('refuse_400', `"path":"${path}"`))).toEqual([]);
  const kinds = ['webhook_lose', 'webhook_double', 'webhook_delay', 'webhook_reorder'];
  expect(kinds.filter((kind) => !some(kind, '"type":"payout.'))).toEqual([]);
});

test('faults meet every request about disputes, and their webhooks are lost, doubled and late', () => {
  const faults = troublesOf(11).disputeFaults.map(({ fault: { kind, match } }) => `${kind} ${JSON.stringify(match)}`);
  const some = (...words: string[]) => faults.some((fault) => words.every((word) => fault.includes(word)));
  const paths = ['/v1/disputes', '/v1/disputes/*', '/v1/disputes/*/close'];
  expect(paths.filter((path) => !some(`"path":"${path}"`))).toEqual([]);
  expect(some('refuse_400', '"path":"/v1/disputes/*"')).toBe(true);
  const kinds = ['webhook_lose', 'webhook_double', 'webhook_delay', 'webhook_reorder'];
  expect(kinds.filter((kind) => !some(kind, '"type":"charge.dispute.*"'))).toEqual([]);
});

const disputesOf = ({ plans, earners }: Script) => {
  const sessions = plans.flatMap((plan) => (plan.kind === 'booking' && plan.dispute ? [plan.dispute] : []));
  const earned = earners.flatMap(({ rounds }) => rounds.flatMap(({ dispute }) => dispute ?? []));
  return { sessions, earned };
};

test.each([20, 40, 200])('with %i bookings payments of sessions and of payees are disputed', (count) => {
  const { sessions, earned } = disputesOf(writeScript(1, count));
  expect(sessions.length).toBeGreaterThan(0);
  expect(earned.length).toBeGreaterThan(0);
});

test('a run of the usual length has some of everything that becomes of disputes', () => {
  const { sessions, earned } = disputesOf(writeScript(1, 200));
  const all = [...sessions, ...earned];
  const verdicts = new Set(all.map((plan) => plan.verdicts.map(({ to, percent }) => `${to} ${percent}`).join(', ')));
  const inEach = (...holds: ((plan: DisputePlan) => boolean)[]) => holds.map((which) => all.some(which));
  expect([
    ...(['before', 'beside', 'after'] as const).flatMap((when) =>
      [sessions, earned].map((plans) => plans.some((plan) => plan.when === when)),
    ),
    ...(['nothing', 'stated', 'submitted', 'accepted'] as const).map((answer) =>
      all.some((plan) => plan.answer === answer),
    ),
    ...(['for days', 'for hours', 'never'] as const).map((answerable) =>
      all.some((plan) => plan.answerable === answerable),
    ),
    ...inEach(
      ({ percent }) => percent < 100,
      ({ percent }) => percent === 100,
      ({ percent }) => percent > 100,
      ({ inquiry }) => inquiry,
      ({ losesWebhooks }) => losesWebhooks,
      ({ losesWebhooks }) => !losesWebhooks,
    ),
    ...['', 'won 100', 'won 60', 'lost 100', 'lost 100, won 100', 'closed 100', 'escalated 100'].map((said) =>
      verdicts.has(said),
    ),
  ]).not.toContain(false);
});

test.each([20, 200])('with %i bookings accounts are kept out and get other passwords', (count) => {
  const acts = writeScript(1, count).accounts.flatMap((plan) => plan.acts);
  expect(new Set(acts)).toEqual(new Set(['suspend', 'reset']));
});
