import { type Chance, chance } from './chance';
import { drawDispute } from './dispute-plan';
import type { Button, Clawback, EarnerPlan, PaymentTerms, Round, Standing } from './plan';

/** Few bookings have few earners: their stories are to be over with the storm. */
const BOOKINGS_AN_EARNER = 4;
/** In turn, so that a short run has each of them too. */
const STANDINGS: readonly Standing[] = ['takes', 'closed', 'returns', 'no bank', 'nothing', 'passing'];
/** The share of askings whose payee gives up. */
const GIVES_UP = 0.2;
/** In cents: well above the ten of either currency that are paid out at least, after the platform's share. */
const EARNED = { least: 2_001, spread: 5_000 };
/**
 * About what an earner gives back after it was paid out, and what banks and Stripe's fees for disputes take: our funds at Stripe are to suffice for
 * the others, in each currency.
 */
const RESTING = { least: 25_001, spread: 1_000 };
/** The share of rounds of which a payment is disputed. */
const DISPUTED = 0.4;

/** What the earners of a run are drawn from. */
interface Purse {
  seed: number;
  bookings: number;
  students: number;
}

/** Draws who earns and is paid out. Each has a stream of their own, so that none moves another, or anything else of the script. */
export function drawEarners({ seed, bookings, students }: Purse): EarnerPlan[] {
  const first = chance(seed, 'earners').below(STANDINGS.length);
  return Array.from({ length: Math.ceil(bookings / BOOKINGS_AN_EARNER) }, (_, number) => {
    const draw = chance(seed, `earner/${number}`);
    const pay = payments(draw, number, students);
    const starts = STANDINGS[(first + number) % STANDINGS.length] ?? 'takes';
    return {
      kind: 'earner' as const,
      number,
      currency: draw.pick<EarnerPlan['currency']>([
        [3, 'EUR'],
        [1, 'USD'],
      ]),
      starts,
      resting: pay(RESTING),
      rounds: Array.from({ length: 2 + draw.below(3) }, (_, round) => ({
        ...drawRound(draw, starts, round, pay),
        dispute: ofRound(chance(seed, `earner/${number}/dispute/${round}`)),
      })),
      pauseMs: pause(draw),
    };
  });
}

type Pay = (amount: typeof EARNED) => PaymentTerms;

function payments(draw: Chance, number: number, students: number): Pay {
  return ({ least, spread }) => ({
    ...{ number, student: draw.below(students), amount: least + draw.below(spread), pauseMs: pause(draw) },
    ...{ card: 'pm_card_visa', bank: 'none', declines: false },
  });
}

const ofRound = (draw: Chance) => (draw.holds(DISPUTED) ? drawDispute(draw) : undefined);

function drawRound(draw: Chance, starts: Standing, round: number, pay: Pay): Omit<Round, 'dispute'> {
  return {
    earns: Array.from({ length: 1 + draw.below(2) }, () => pay(EARNED)),
    by: draw.holds(0.3) ? { week: 1 + draw.below(3) } : { button: drawButton(draw) },
    mends: drawMending(draw, starts, round),
    clawback: draw.holds(0.35) ? drawClawback(draw) : undefined,
    givesUp: draw.holds(GIVES_UP),
  };
}

function drawButton(draw: Chance): Button {
  return {
    percent: draw.holds(0.75) ? 100 : 70,
    copies: draw.holds(0.25) ? 3 : 1,
    rivals: draw.holds(0.3) ? 1 + draw.below(2) : 0,
  };
}

/** At first a bank may do what it does. After that most people have given Stripe what it lacks. */
function drawMending(draw: Chance, starts: Standing, round: number): Round['mends'] {
  const lacks = starts === 'nothing' || starts === 'no bank';
  if (round === 0) return lacks && draw.holds(0.6) ? 'waiting' : 'never';
  return draw.pick<Round['mends']>([
    [40, 'before'],
    [40, 'waiting'],
    [20, 'never'],
  ]);
}

function drawClawback(draw: Chance): Clawback {
  return { percent: 20 + draw.below(40), when: draw.holds(0.5) ? 'beside' : 'after' };
}

const pause = (draw: Chance) => Math.round(draw.between(200, 2_500));
