import { failedWorkflowTasks, historyOf, isCancelRequested } from '../../dev/chaos/histories';
import { bookingFacts, CAPTURED } from './booking-facts';
import type { Person } from './marketplace';
import { outcomeOf } from './outcomes';
import type { TestPlatform } from './platform';
import type { Reply } from './service';

export type Races = ReturnType<typeof createRaces>;

/** Races between a tutor's confirmation and a student's cancel. Each racer of `crowd` has bookings of their own. */
export function createRaces(platform: TestPlatform, crowd: Person[]) {
  /** How the races came out, and whether the cancel met the capture. */
  const seen: Record<string, number> = {};

  return {
    seen,

    /** Notes how a race came out, and expects of it what must be true of every race. */
    async note(id: string, confirmed: Reply, cancelled: Reply): Promise<void> {
      const met = isCancelRequested(await historyOf(platform.temporal, `booking:${id}`)) ? ', met the capture' : '';
      const what = `confirm ${outcomeOf(confirmed)}, cancel ${outcomeOf(cancelled)}${met}`;
      seen[what] = (seen[what] ?? 0) + 1;
      // Both may succeed, one after the other. They are never both refused.
      expect(what).toMatch(/^confirm (?:200, cancel 200|200, cancel 409 invalid_state|409 invalid_state, cancel 200)/);
      if (cancelled.status === 200) await platform.temporal.workflow.getHandle(`booking:${id}`).result();
      const { booking, stripe } = await bookingFacts(platform, id);
      if (cancelled.status === 200) {
        expect(booking).toMatch(/^(?:cancelled|refunded)\/cancelled_by_student$/);
        expect([stripe.captured - stripe.refunded, stripe.reserved]).toEqual([0, 0]);
      } else expect([booking, stripe]).toEqual(['confirmed', CAPTURED]);
      expect(failedWorkflowTasks(await historyOf(platform.temporal, `booking:${id}`))).toEqual([]);
    },

    /**
     * Runs `count` races, four at a time: the racers compete with each other and not for the processor.
     * @throws Error when there are fewer people than races
     */
    async run(count: number, race: (who: Person, index: number) => Promise<void>): Promise<void> {
      const racers = crowd.slice(0, count);
      if (racers.length < count) throw new Error(`${count} races need as many people; there are ${racers.length}`);
      for (let start = 0; start < count; start += 4) {
        await Promise.all(racers.slice(start, start + 4).map((who, offset) => race(who, start + offset)));
      }
    },
  };
}
