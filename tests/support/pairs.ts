import { setTimeout as sleep } from 'node:timers/promises';
import { chance } from '../../dev/chaos/chance';
import { sumsGivenBack } from '../../dev/chaos/shares';
import { uuidv7 } from '../../platform/ids';
import { type Marketplace, type Person, PRICE, type Tutor } from './marketplace';
import { outcomeOf } from './outcomes';
import { type PairEnd, pairEnd } from './pair-end';
import { eventually, type TestPlatform } from './platform';
import type { Reply } from './service';

/** What a booking is like when two commands meet in it. */
type Phase = 'awaiting_tutor' | 'confirmed';

/** Who plays one pair after another, each with a booking of its own. */
export interface Lane {
  student: Person;
  instant: Tutor;
  confirming: Tutor;
  /** When the student has another session, with somebody else. */
  otherSession: string;
  /** An hour less than a day away that is free between two pairs. */
  near: string;
}

/** A booking before its commands. */
interface Scene {
  lane: Lane;
  tutor: Tutor;
  id: string;
  paymentId: string;
  /** Less than a day away and long asked for: a student gets half back and moves nothing. */
  isNear: boolean;
  startsAt: string;
}

/** A command as it was given, and answered. */
interface Given {
  name: string;
  /** Where a move goes. */
  to?: string;
  /** What is to be given back; null: all that is left. */
  amount?: number | null;
  reply: Reply;
}

interface Command {
  in: readonly Phase[];
  give(scene: Scene, drawn: { to(): string; amount: number }, send: Send): Promise<Omit<Given, 'name'>>;
  /** Whether the answer is true of how everything ended. `other`: the command that it met. */
  isTrue(answer: Given, end: PairEnd, scene: Scene, other: Given): boolean;
}

type Send = (who: Person, method: string, path: string, body?: unknown) => Promise<Reply>;

const isOk = ({ reply }: Given) => reply.status < 300;
const isRefused = ({ reply }: Given, code: string) => reply.status === 409 && reply.body?.code === code;
const hasEnded = ({ status }: PairEnd) => status === 'cancelled' || status === 'refunded';

/** A cancel is refused only to whom somebody else was first. */
const cancel = (by: 'student' | 'tutor'): Command => ({
  in: ['awaiting_tutor', 'confirmed'],
  give: async ({ lane, tutor, id }, _, send) => ({
    reply: await send(by === 'student' ? lane.student : tutor, 'POST', `/api/bookings/${id}/cancel`, { reason: 'Ill' }),
  }),
  isTrue: (answer, end) =>
    isOk(answer)
      ? hasEnded(end) && end.reason === `cancelled_by_${by}`
      : isRefused(answer, 'invalid_state') && hasEnded(end),
});

const decide = (what: 'confirm' | 'decline'): Command => ({
  in: ['awaiting_tutor'],
  give: async ({ tutor, id }, _, send) => ({
    reply: await send(
      tutor,
      'POST',
      `/api/bookings/${id}/${what}`,
      what === 'decline' ? { reason: 'Full' } : undefined,
    ),
  }),
  isTrue(answer, end, _, other) {
    const wasConfirmed = end.status === 'confirmed' || end.refundPercent !== null;
    const wasDeclined = end.reason === 'declined';
    if (isOk(answer)) return what === 'confirm' ? wasConfirmed : wasDeclined;
    // Of two that say the same one may come too late.
    const isAsWanted = what === 'confirm' ? wasConfirmed : wasDeclined;
    return (
      isRefused(answer, 'invalid_state') && (!isAsWanted || other.name === what || other.name.startsWith('cancel'))
    );
  },
});

const move = (by: 'student' | 'tutor', onto: 'a free time' | 'the student’s other session'): Command => ({
  in: ['confirmed'],
  async give({ lane, tutor, id }, drawn, send) {
    const to = onto === 'a free time' ? drawn.to() : lane.otherSession;
    const who = by === 'student' ? lane.student : tutor;
    return { to, reply: await send(who, 'PATCH', `/api/bookings/${id}`, { scheduledAt: to }) };
  },
  isTrue(answer, end, { isNear }, other) {
    if (isOk(answer))
      return onto === 'a free time' && [answer.to, isOk(other) ? other.to : undefined].includes(end.startsAt);
    const tooLate = by === 'student' && isNear;
    const hasOther = onto !== 'a free time' && isRefused(answer, 'conflict');
    return hasOther || (isRefused(answer, 'invalid_state') && (tooLate || hasEnded(end)));
  },
});

const refund = (how: 'a part' | 'all'): Command => ({
  in: ['awaiting_tutor', 'confirmed'],
  async give({ tutor, paymentId }, drawn, send) {
    const amount = how === 'all' ? null : drawn.amount;
    const body = { reason: 'As agreed', ...(amount !== null && { amount: { amount, currency: 'EUR' } }) };
    return { amount, reply: await send(tutor, 'POST', `/api/payments/${paymentId}/refund`, body) };
  },
  isTrue(answer, end, _, other) {
    const { amount, reply } = answer;
    if (isOk(answer)) {
      const told = Number(reply.body.amount.amount);
      const isMade = end.refunds.includes(told) && (amount === null || amount === told);
      return isMade && (how === 'a part' || end.refunded === end.captured);
    }
    // Before the money is taken there is nothing to give back.
    if (isRefused(answer, 'invalid_state')) return end.captured === 0 || other.name === 'confirm';
    return isRefused(answer, 'refund_exceeds_payment') && end.refunded + (amount ?? 1) > end.captured;
  },
});

/** Whatever student, tutor and payee ask of a booking. Every two of them that can meet are given at once. */
const COMMANDS: Record<string, Command> = {
  'cancel by the student': cancel('student'),
  'cancel by the tutor': cancel('tutor'),
  confirm: decide('confirm'),
  decline: decide('decline'),
  'move by the student': move('student', 'a free time'),
  'move by the tutor': move('tutor', 'a free time'),
  'move by the student onto another session of theirs': move('student', 'the student’s other session'),
  'refund of a part': refund('a part'),
  'refund of all': refund('all'),
};

export interface Pair {
  phase: Phase;
  first: string;
  second: string;
}

/** All ordered pairs of commands that can meet, each with itself too. */
export const PAIRS: readonly Pair[] = (['awaiting_tutor', 'confirmed'] as const).flatMap((phase) => {
  const names = Object.keys(COMMANDS).filter((name) => COMMANDS[name]?.in.includes(phase));
  return names.flatMap((first) => names.map((second): Pair => ({ phase, first, second })));
});

function commandOf(name: string): Command {
  const command = COMMANDS[name];
  if (!command) throw new Error(`There is no command ${name}`);
  return command;
}

/** Most of an interval between two commands: about as long as a step takes. */
const APART_MS = 40;

/** Plays pairs of commands on a whole running platform. */
export function createPairs(platform: TestPlatform, market: Marketplace) {
  /** As a good client: again under the same key while there is no final answer. */
  const send: Send = (who, method, path, body) => {
    const key = uuidv7();
    return eventually(
      `${method} ${path} is answered`,
      async () => {
        const reply = await platform.ask(method, path, { token: who.token, key, body });
        const again = reply.status === 503 || reply.body?.code === 'idempotency_in_progress';
        return !again && reply;
      },
      120_000,
    );
  };

  async function book(lane: Lane, phase: Phase, isNear: boolean): Promise<Scene> {
    const tutor = phase === 'confirmed' ? lane.instant : lane.confirming;
    const at = isNear ? lane.near : market.nextHour();
    const booked = await market.book({ student: lane.student, tutor, at });
    if (booked.status !== 201 && booked.status !== 202) throw new Error(`booking was answered ${outcomeOf(booked)}`);
    const id = String(booked.body.id);
    const isMade = ({ status, statusReason }: { status: string; statusReason: string | null }) =>
      status === 'confirmed' || statusReason === 'awaiting_tutor';
    const made = await eventually(
      'the booking of a pair is made',
      async () => {
        const { body } = isMade(booked.body) ? booked : await market.read(lane.student, id);
        return isMade(body) && body;
      },
      120_000,
    );
    // Stands for an hour that has passed since: a cancel on second thoughts would cost nothing.
    if (isNear)
      await platform.database('booking')`
        update booking_requests set created_at = created_at - interval '1 hour' where id = ${id}`;
    return { lane, tutor, id, paymentId: String(made.payment.id), isNear, startsAt: at };
  }

  /** Gives both commands at once, and waits until nothing goes on. @returns what is wrong then, in sentences */
  async function play(lane: Lane, pair: Pair, draw: { seed: number; number: number }): Promise<string[]> {
    const drawn = chance(draw.seed, `pair/${draw.number}`);
    // A share of less than all is what other refunds can get in the way of.
    const isNear = drawn.holds([pair.first, pair.second].includes('cancel by the student') ? 0.8 : 0.4);
    const apart = drawn.holds(0.3) ? 0 : drawn.between(0, APART_MS);
    const scene = await book(lane, pair.phase, isNear);
    const give = async (name: string): Promise<Given> => {
      const amount = 1 + drawn.below(PRICE);
      return { name, ...(await commandOf(name).give(scene, { to: market.nextHour, amount }, send)) };
    };
    const first = give(pair.first);
    await sleep(apart);
    const given = await Promise.all([first, give(pair.second)]);
    const end = await pairEnd(platform, scene.id);
    const story = given.map(({ name, reply, to, amount }) => `${name} ${to ?? amount ?? ''}: ${outcomeOf(reply)}`);
    const wrong = [...end.wrong, ...untrue(given, end, scene)];
    await clear(scene, end);
    return wrong.map(
      (sentence) =>
        `pair ${draw.number} of seed ${draw.seed}, booking ${scene.id}, ${isNear ? 'near' : 'far'}, ` +
        `${apart.toFixed(1)} ms apart (${story.join('; ')}), ends ${end.status}/${end.reason} at ${end.startsAt} ` +
        `with ${end.captured}-${end.refunded}: ${sentence}`,
    );
  }

  /** Frees the hours for what is played next. */
  async function clear({ tutor, id }: Scene, { status }: PairEnd): Promise<void> {
    if (status !== 'confirmed' && status !== 'pending') return;
    const reply = await market.cancelPatiently(tutor, id);
    if (reply.status !== 200) throw new Error(`the last cancel of ${id} was answered ${outcomeOf(reply)}`);
    await platform.temporal.workflow.getHandle(`booking:${id}`).result();
  }

  return { play };
}

function untrue([first, second]: [Given, Given], end: PairEnd, scene: Scene): string[] {
  const lies = (
    [
      [first, second],
      [second, first],
    ] as const
  ).filter(([answer, other]) => !commandOf(answer.name).isTrue(answer, end, scene, other));
  const given = [first, second].filter((one) => one.amount !== undefined && isOk(one));
  const sums = sumsGivenBack({
    captured: end.captured,
    percent: end.refundPercent ?? (hasEnded(end) ? 100 : 0),
    ...{ before: [], perhaps: [] },
    beside: given.map(({ reply }) => Number(reply.body.amount.amount)),
  });
  const shares = sharesOf([first, second], end, scene);
  const moves = [first, second].filter((one) => one.to !== undefined && isOk(one));
  return [
    ...lies.map(([{ name }]) => `the answer to ${name} is not true`),
    ...(sums.includes(end.refunded) ? [] : [`${sums.join(' or ')} should be given back`]),
    ...(shares.includes(end.refundPercent) ? [] : [`a share of ${shares.join(' or ')} % should be given back`]),
    ...(moves.length === 0 && end.startsAt !== scene.startsAt ? ['nobody was told that it was moved'] : []),
  ];
}

/** Which shares the terms allow; null: it was not cancelled after the payment. */
function sharesOf(given: readonly Given[], end: PairEnd, { isNear }: Scene): (number | null)[] {
  if (!end.reason?.startsWith('cancelled_by_')) return [null];
  const beforePayment = given.some(({ name }) => name === 'confirm') ? [null] : [];
  if (end.captured === 0) return [null];
  if (end.reason === 'cancelled_by_tutor' || !isNear) return [100, ...beforePayment];
  // The student turns down the time that the tutor has moved it to, or was faster.
  const movedByTutor = given.some((one) => one.name === 'move by the tutor' && isOk(one));
  return [movedByTutor ? 100 : 50, ...(movedByTutor ? [50] : []), ...beforePayment];
}
