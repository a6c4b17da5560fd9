import { workflowTroubles } from '../../dev/chaos/reconciliation';
import { contradictionsAtRest } from '../support/at-rest';
import { createMarketplace, type Marketplace } from '../support/marketplace';
import { createPairs, type Lane, PAIRS } from '../support/pairs';
import { startTestPlatform, type TestPlatform } from '../support/platform';

// Two commands at once, by whoever may give them: every ordered pair of a table, or with PAIRS=2000 that many, drawn by PAIRS_SEED.

const COUNT = Number(process.env.PAIRS ?? PAIRS.length);
const SEED = Number(process.env.PAIRS_SEED ?? 1);
/** Pairs that are played beside each other: they compete with themselves and not for the processor. */
const LANES = 4;
const HOUR_MS = 3_600_000;
/** Access tokens live 15 minutes: after this long other people play. */
const TOKENS_LAST_MS = 600_000;

jest.setTimeout(120_000 + COUNT * 3_000);

let platform: TestPlatform;
let market: Marketplace;

beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
});
afterAll(() => platform?.stop());

async function newLane(): Promise<Lane> {
  const [student, instant, confirming] = await Promise.all([
    market.student(),
    market.tutor({ instant: true }),
    market.tutor({ instant: false }),
  ]);
  const otherSession = market.nextHour();
  const another = await market.tutor({ instant: true });
  expect((await market.book({ student, tutor: another, at: otherSession })).status).toBe(201);
  // Half is given back between a day and four hours before the start; a run takes less than the hours to spare.
  const near = new Date((Math.ceil(Date.now() / HOUR_MS) + 12) * HOUR_MS).toISOString();
  return { student, instant, confirming, otherSession, near };
}

test(`${COUNT} pairs of commands given at once end in a state that the tables allow, and both answers are true`, async () => {
  const { play } = createPairs(platform, market);
  const wrong: string[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: LANES }, async () => {
      let lane = await newLane();
      for (let since = Date.now(); next < COUNT; ) {
        if (Date.now() - since > TOKENS_LAST_MS) {
          lane = await newLane();
          since = Date.now();
        }
        const number = next++;
        if (COUNT > PAIRS.length && number % 100 === 0) process.stderr.write(`${number} of ${COUNT} pairs\n`);
        const pair = PAIRS[number % PAIRS.length];
        if (pair) wrong.push(...(await play(lane, pair, { seed: SEED, number })));
      }
    }),
  );
  expect(wrong).toEqual([]);
});

test('after all of that bookings, slots, payments, ledger and Stripe agree to the cent, and no saga is stuck', async () => {
  expect(await contradictionsAtRest(platform)).toEqual([]);
  const { troubles } = await workflowTroubles(platform, market.people);
  expect(troubles).toEqual([]);
});
