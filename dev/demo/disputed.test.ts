import { disputeLost } from './dispute-lost';
import { disputeWon } from './dispute-won';
import type { PaidOut } from './paid-out';
import type { Stage } from './stage';
import { CALENDAR, emptyStage, HOLDER, STRIPE, somebody } from './test-stage';

const [ADA, EMMY, MARY, ADMIN] = [somebody('Ada'), somebody('Emmy'), somebody('Mary'), somebody('Katherine')];
const PAID_OUT: PaidOut = {
  tutor: MARY,
  paid: [{ paymentId: 'p', amount: 6_000, share: 5_100 }],
  outcome: { story: 'E', what: 'a payout', id: 'po', outcome: 'paid' },
};

type Where = Pick<Stage, 'stripe' | 'holder'>;
const EVERYWHERE: Where = { stripe: STRIPE, holder: HOLDER };

async function playedWon(where: Where) {
  const { stage, printed } = emptyStage({ calendar: CALENDAR, ...where });
  return { outcome: await disputeWon(stage, ADA, EMMY), printed: printed() };
}

async function playedLost(where: Where, after: { paidOut?: PaidOut; admin?: typeof ADMIN }) {
  const { stage, printed } = emptyStage({ calendar: CALENDAR, ...where });
  const outcome = await disputeLost(stage, ADA, { paidOut: after.paidOut, admin: after.admin });
  return { outcome, printed: printed() };
}

test.each<[string, Where, string]>([
  ['a Stripe', { stripe: undefined, holder: HOLDER }, 'left out: only in the sandbox'],
  ['a Postgres', { stripe: STRIPE, holder: undefined }, 'left out: the demo makes somebody an administrator in'],
])('where a setting names %s no dispute is played, with a sentence and without any request', async (_, where, why) => {
  const both = [await playedWon(where), await playedLost(where, { paidOut: PAID_OUT, admin: ADMIN })];
  expect(both.map(({ outcome }) => outcome)).toEqual([undefined, undefined]);
  for (const { printed } of both) expect(printed).toContain(why);
});

test.each([
  ['nobody was paid out', { admin: ADMIN }],
  ['nobody is an administrator', { paidOut: PAID_OUT }],
])('no dispute is lost where %s', async (_, after) => {
  const { outcome, printed } = await playedLost(EVERYWHERE, after);
  expect(outcome).toBeUndefined();
  expect(printed).toContain('left out: it needs the payout and the administrator');
});

test('where everything is embedded both are played', async () => {
  await expect(playedWon(EVERYWHERE)).rejects.toThrow('It asks for something');
  const after = { paidOut: PAID_OUT, admin: ADMIN };
  await expect(playedLost(EVERYWHERE, after)).rejects.toThrow('It asks for something');
});
