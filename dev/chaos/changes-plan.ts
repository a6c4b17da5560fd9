import { type Chance, chance } from './chance';
import { drawDispute } from './dispute-plan';
import type { BookingPlan, Changes, Move, PartialRefund, Slot } from './plan';

/** A booking that is drawn but for its changes. `mover`: who moves it, by the draws that all plays began with. */
export type Drawn = Omit<BookingPlan, keyof Changes> & { mover: Move['by'] | undefined };

const FAR_PERCENT = 100;
/** How many students away from the one who moves is the one who claims the time. Rivals are the next one. */
const CLAIMS_FROM = 2;

/** The share of sessions whose payments are disputed. */
const DISPUTED = 0.4;

/** What the changes of all bookings are drawn from. */
export interface Stage {
  seed: number;
  students: number;
  bookings: readonly Drawn[];
  /** A far hour that nobody else has, by a number that is used once. */
  freeHour(number: number): Slot;
  /** A place less than a day away that no booking has; undefined when none is left. Each is given once. */
  nextNear(): Slot | undefined;
}

/** Draws what happens to one booking. Each draw has a stream of its own, by booking, so that none moves another. */
export function drawChanges(stage: Stage, drawn: Drawn): Changes {
  const stream = (of: string) => chance(stage.seed, `${of}/${drawn.number}`);
  return {
    moves: drawMoves(stage, drawn, stream('moves')),
    refunds: drawRefunds(stream('refunds')),
    timePasses: stream('time').holds(0.6),
    // Only where somebody confirms afterwards is it certain at once what has to follow: else it is looked for every six hours.
    lapses: stream('lapses').holds(0.15) && !drawn.givesUp && drawn.answer === 'confirm' && isLeftToTutor(drawn),
    dispute: ofSession(stream('dispute')),
  };
}

const ofSession = (draw: Chance) => (draw.holds(DISPUTED) ? drawDispute(draw) : undefined);

const isLeftToTutor = ({ studentCancels }: Drawn) => studentCancels !== 'waiting' && studentCancels !== 'racing';

function drawMoves(stage: Stage, drawn: Drawn, draw: Chance): Move[] {
  const { mover, slot, number } = drawn;
  if (slot.refundPercent !== FAR_PERCENT) return moveNear(stage, draw);
  if (!mover) return [];
  const other = (): Move['by'] => (mover === 'student' ? 'tutor' : 'student');
  const to = (place: Slot, by = mover, claimed = false): Move => ({
    by,
    to: place,
    claimedBy: claimed ? (drawn.student + CLAIMS_FROM) % stage.students : undefined,
  });
  const free = stage.freeHour(number);
  const own = drawOther(stage, drawn, 'student', draw) ?? free;
  const taken = drawOther(stage, drawn, 'tutor', draw) ?? free;
  return draw.pick<Move[]>([
    [20, [to(free)]],
    [10, [to(free, mover, true)]],
    // While the session may be refused there, somebody else wants the time that it would leave.
    [25, [to(own, mover, true)]],
    [10, [to(own), to(free, other())]],
    [12, [to(taken, mover, true)]],
    [8, [to(taken), to(own, other())]],
    [8, [to(free), to(slot), to(free), to(slot)]],
    [7, [to(free, mover, true), to(slot, other()), to(free)]],
  ]);
}

/** A session that is near is moved by its tutor alone, to another near time: then a cancel costs the student nothing. */
function moveNear({ nextNear }: Stage, draw: Chance): Move[] {
  if (!draw.holds(0.3)) return [];
  const place = nextNear();
  return place ? [{ by: 'tutor', to: place, claimedBy: undefined }] : [];
}

/** The far session of another booking of the same student or tutor, most likely one that was asked for shortly before. */
function drawOther({ bookings }: Stage, drawn: Drawn, party: 'student' | 'tutor', draw: Chance): Slot | undefined {
  const others = bookings.filter(
    (other) =>
      other.number < drawn.number &&
      other[party] === drawn[party] &&
      other.slot.refundPercent === FAR_PERCENT &&
      other.slot.minutesAhead !== drawn.slot.minutesAhead,
  );
  const near = others.slice(-2);
  return near[draw.below(Math.max(near.length, 1))]?.slot;
}

function drawRefunds(draw: Chance): PartialRefund[] {
  const when = (): PartialRefund['when'] => (draw.holds(0.5) ? 'before' : 'beside');
  const byTutor = (percent: number): PartialRefund => ({ by: 'tutor', percent, when: when(), losesWebhooks: false });
  const inDashboard = (percent: number): PartialRefund => ({
    by: 'dashboard',
    percent,
    when: when(),
    losesWebhooks: draw.holds(0.5),
  });
  return draw.pick<() => PartialRefund[]>([
    [70, () => []],
    [9, () => [byTutor(22)]],
    [3, () => [byTutor(100)]],
    [4, () => [byTutor(13), byTutor(60)]],
    [7, () => [inDashboard(31)]],
    [3, () => [inDashboard(100)]],
    [4, () => [byTutor(22), inDashboard(31)]],
  ])();
}
