import { paidOut } from './paid-out';
import type { Stage } from './stage';
import { CALENDAR, emptyStage, STRIPE, somebody } from './test-stage';

async function played(where: Pick<Stage, 'stripe' | 'calendar'>) {
  const { stage, printed } = emptyStage({ holder: undefined, ...where });
  return { outcome: await paidOut(stage, somebody('Ada')), printed: printed() };
}

test.each<[string, Pick<Stage, 'stripe' | 'calendar'>, string]>([
  ['a Stripe', { stripe: undefined, calendar: CALENDAR }, 'left out: only the sandbox has an onboarding page'],
  ['a Postgres', { stripe: STRIPE, calendar: undefined }, 'left out: earnings rest for days'],
])('where a setting names %s the story is left out, with a sentence and without any request', async (_, where, why) => {
  const { outcome, printed } = await played(where);
  expect(outcome).toBeUndefined();
  expect(printed).toContain(why);
});

test('it is played where both are embedded', async () => {
  await expect(played({ stripe: STRIPE, calendar: CALENDAR })).rejects.toThrow('It asks for something');
});
