import { uuidv7 } from '../../platform/ids';
import { completeUpdate } from '../../workflows/booking.api';
import { bookingFacts } from '../support/booking-facts';
import type { Marketplace, Person, Tutor } from '../support/marketplace';
import { eventually, type TestPlatform } from '../support/platform';
import type { Reply } from '../support/service';
import type { Answer, ConfirmedFacts, Way } from './confirmed-table';
import { toldBy } from './saga-table';

const HOUR_MS = 3_600_000;
/** Half of what was paid is given back to who cancels less than a day before, and more than four hours. */
const FIRST_LATE_HOUR = 5;
const LATE_HOURS = 16;

/** A confirmed booking, and the times of its session that are spoken of. */
export interface Scene {
  id: string;
  way: Way;
  student: Person;
  tutor: Tutor;
  /** Somebody else who wants the tutor's times. */
  rival: Person;
  /** ISO; where the session is, and where it is to move. */
  old: string;
  new: string;
}

/** People who have nothing to do with each other: two who meet, and somebody who wants the tutor's time. */
type Trio = Pick<Scene, 'student' | 'tutor' | 'rival'>;

export type ConfirmedScenes = Awaited<ReturnType<typeof createConfirmedScenes>>;

/** Confirmed bookings on a running platform, what is asked of them, and what everybody knows of them then. */
export async function createConfirmedScenes(platform: TestPlatform, market: Marketplace) {
  const trio = async (): Promise<Trio> => {
    const [student, tutor, rival] = await Promise.all([
      market.student(),
      market.tutor({ instant: true }),
      market.student(),
    ]);
    return { student, tutor, rival };
  };
  const [first, second] = await Promise.all([trio(), trio()]);
  const firstHour = Math.ceil(Date.now() / HOUR_MS) + FIRST_LATE_HOUR;
  let lateSessions = 0;

  /** Whose session it is and when, so that no two sessions of one person meet. */
  function appointment(way: Way): Trio & { old: string } {
    if (way !== 'cancel') return { ...first, old: market.nextHour() };
    const number = lateSessions++;
    if (number >= 2 * LATE_HOURS) throw new Error('there are more late cancels than hours for them');
    const old = new Date((firstHour + Math.floor(number / 2)) * HOUR_MS).toISOString();
    return { ...(number % 2 === 0 ? first : second), old };
  }

  const workflow = ({ id }: Pick<Scene, 'id'>) => platform.temporal.workflow.getHandle(`booking:${id}`);

  /** Books patiently. @returns the id once it is decided, and whether it is the student's */
  async function book(student: Person, tutor: Person, at: string): Promise<{ id: string; isConfirmed: boolean }> {
    let key = uuidv7();
    const reply = await eventually(
      'the request is answered',
      async () => {
        const answer = await market.book({ student, tutor, at, key });
        // Plays beside each other book as the same person, three times at once and no more.
        const isOneTooMany = answer.body?.code === 'too_many_pending';
        if (isOneTooMany) key = uuidv7();
        return answer.status !== 503 && answer.body?.code !== 'idempotency_in_progress' && !isOneTooMany && answer;
      },
      90_000,
    );
    const id = String(reply.body.id ?? reply.body.bookingId);
    if (reply.status === 409) expect(reply.body.code).toBe('slot_unavailable');
    else expect([201, 202]).toContain(reply.status);
    return { id, isConfirmed: (await market.untilBooking(id, 'confirmed', 'cancelled')) === 'confirmed' };
  }

  async function mustBook(student: Person, tutor: Person, at: string): Promise<string> {
    const { id, isConfirmed } = await book(student, tutor, at);
    expect(isConfirmed).toBe(true);
    return id;
  }

  /** Everything that a booking keeps of its tutor's time: what and when. */
  async function slotsOf({ id }: Pick<Scene, 'id'>): Promise<{ is: string; at: Date }[]> {
    return platform.database('tutoring')<{ is: string; at: Date }[]>`
      select case when reserved_by is null then state else 'reserved' end as is, lower(during) as at from slots
      where booking_id = ${id} or reserved_by = ${id} order by 1`;
  }

  async function isAtRest(scene: Scene): Promise<boolean> {
    const { raw, searchAttributes } = await workflow(scene).describe();
    const isWorking = raw.pendingWorkflowTask || (raw.pendingActivities ?? []).length > 0;
    return searchAttributes.SagaState?.[0] === 'Confirmed' && !isWorking && (await slotsOf(scene)).length === 1;
  }

  return {
    first,
    second,
    workflow,
    book,
    mustBook,

    /** A confirmed booking, for what is to be asked of it. Whoever cancels late has thought about it for an hour. */
    async confirmed(way: Way): Promise<Scene> {
      const { student, tutor, rival, old } = appointment(way);
      const id = await mustBook(student, tutor, old);
      await eventually(
        'the saga waits',
        async () => (await workflow({ id }).describe()).searchAttributes.SagaState?.[0] === 'Confirmed',
      );
      await platform.database('booking')`
        update booking_requests set created_at = created_at - interval '1 hour' where id = ${id}`;
      return { id, way, student, tutor, rival, old, new: way === 'move' ? market.nextHour() : old };
    },

    /** Asks patiently, as a good client does. */
    async ask(scene: Scene): Promise<Answer> {
      const { id, way, student, tutor } = scene;
      if (way === 'move') return answerOf(await market.movePatiently(tutor, id, scene.new));
      if (way === 'cancel') return answerOf(await market.cancelPatiently(student, id));
      // Its end lies ahead, and so the saga is asked as by a tutor who waited for it.
      const requestedAt = new Date(Date.parse(scene.old) + HOUR_MS).toISOString();
      await workflow(scene).executeUpdate(completeUpdate, { args: [{ actorId: tutor.id, requestedAt }] });
      return [200, undefined];
    },

    /** The other side cancels. Resolves when the saga has the cancel, or has refused it. */
    async cancelByOther({ id, way, student, tutor }: Scene): Promise<{ answered: Promise<Answer> }> {
      if (way !== 'move') {
        const answer = answerOf(await market.cancelPatiently(way === 'cancel' ? tutor : student, id));
        return { answered: Promise.resolve(answer) };
      }
      const held = await market.cancelHeld(student, id);
      const answered = held.answered.then(answerOf);
      answered.catch(() => undefined);
      return { answered };
    },

    /** Waits until nothing of it is under way. */
    async settled(scene: Scene, isOver: boolean): Promise<void> {
      if (isOver) await workflow(scene).result();
      else await eventually('the session has one time, and its saga waits', () => isAtRest(scene), 90_000);
    },

    async facts(scene: Scene): Promise<ConfirmedFacts> {
      const { id, old } = scene;
      const nameOf = (at: Date | undefined) =>
        at?.getTime() === Date.parse(old) ? 'old' : at?.getTime() === Date.parse(scene.new) ? 'new' : 'elsewhere';
      const [facts, [booking], slots, told] = await Promise.all([
        bookingFacts(platform, id),
        platform.database('booking')<{ at: Date }[]>`select starts_at as at from bookings where id = ${id}`,
        slotsOf(scene),
        toldBy(platform, `booking:${id}`),
      ]);
      return {
        ...facts,
        at: nameOf(booking?.at),
        slots: slots.map(({ is, at }) => `${is} ${nameOf(at)}`),
        told: told.filter((template) => !template.startsWith('booking_confirmed')),
      };
    },

    /** Whether the rival gets a time. */
    async tryFor({ rival, tutor }: Scene, at: string): Promise<'free' | 'taken'> {
      return (await book(rival, tutor, at)).isConfirmed ? 'free' : 'taken';
    },
  };
}

function answerOf({ status, body }: Reply): Answer {
  return [status, body?.code];
}
