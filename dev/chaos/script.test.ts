import { faultBody } from '../stripe-sandbox/world/faults';
import { type BookingPlan, type Script, type Slot, writeScript } from './script';
import { planTroubles } from './troubles';

const NAMES = ['gateway', 'booking', 'postgres', 'temporal'];
const troublesOf = (seed: number) => {
  const { nextKill, nextFault, nextFreeze, nextOutage } = planTroubles(seed);
  const many = <T>(next: () => T) => Array.from({ length: 200 }, next);
  return {
    kills: many(() => nextKill(NAMES)),
    faults: many(nextFault),
    freezes: many(() => nextFreeze(NAMES)),
    outages: many(nextOutage),
  };
};
const bookingsOf = ({ plans }: Script) => plans.filter((plan): plan is BookingPlan => plan.kind === 'booking');
const endOf = ({ minutesAhead, durationMinutes }: Slot) => minutesAhead + durationMinutes;

/** Pairs of bookings of one person whose sessions share time, at their first place or where they are moved to. */
function collisions(bookings: BookingPlan[], of: 'student' | 'tutor'): [BookingPlan, BookingPlan][] {
  const places = bookings.flatMap((plan) =>
    [plan.slot, ...(plan.move ? [plan.move.to] : [])].map((slot) => ({ plan, slot })),
  );
  return places.flatMap((one, index) =>
    places
      .slice(index + 1)
      .filter(({ plan, slot }) => {
        const meet = slot.minutesAhead < endOf(one.slot) && one.slot.minutesAhead < endOf(slot);
        return meet && plan !== one.plan && plan[of] === one.plan[of];
      })
      .map(({ plan }): [BookingPlan, BookingPlan] => [one.plan, plan]),
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
  const some = (what: (plan: BookingPlan) => boolean) => bookings.filter(what).length > 0;
  expect([
    some(({ rivalOf }) => rivalOf !== undefined),
    some(({ copies }) => copies > 1),
    some(({ move }) => move?.by === 'student'),
    some(({ move }) => move?.by === 'tutor'),
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

test('the sandbox knows every fault, every process is killed and hangs, and every vendor is silent', () => {
  const { kills, faults, freezes, outages } = troublesOf(11);
  for (const { outage } of outages)
    if (outage.kind === 'stripe hangs') expect(faultBody.safeParse(outage.fault).error).toBeUndefined();
  expect(new Set(freezes.map(({ name }) => name))).toEqual(new Set(NAMES));
  expect(new Set(outages.map(({ outage }) => outage.kind))).toEqual(
    new Set(['mail hangs', 'mail drips', 'stripe hangs']),
  );
  for (const { fault } of faults) expect(faultBody.safeParse(fault).error).toBeUndefined();
  expect(new Set(kills.map(({ name }) => name))).toEqual(new Set(NAMES));
});
