import { stripVTControlCharacters } from 'node:util';
import type { Calendar } from './calendar';
import { stripeView } from './outside';
import { paidOut } from './paid-out';
import type { Stage } from './stage';
import { createTimeline } from './timeline';

const STUDENT = { id: 'ada', name: 'Ada Lovelace', email: 'ada@demo.example', token: 'token' };
const asks = () => Promise.reject(new Error('It asks for something'));
const CALENDAR: Calendar = { letEarningsFallDue: asks, sweepNow: asks };
const STRIPE = stripeView('http://127.0.0.1:1');

async function played(where: Pick<Stage, 'stripe' | 'calendar'>) {
  const printed: string[] = [];
  const outcome = await paidOut(
    {
      ...{ run: 'r', gateway: asks, mails: undefined, sagaUrl: (id) => id, killBookingWorker: asks },
      timeline: createTimeline((line) => printed.push(stripVTControlCharacters(line))),
      ...where,
    },
    STUDENT,
  );
  return { outcome, printed: printed.join('\n') };
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
