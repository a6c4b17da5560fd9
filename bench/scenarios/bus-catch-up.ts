import { compareRatings, counted, fillOutbox, forgetRatings, published, secondsUntil } from '../bus/backlog';
import { versionsOf } from '../machine';
import { FULL_SCALE } from './names';
import type { RunScenario } from './scenario';
import { onStack } from './stage';

const DEFAULTS = FULL_SCALE['bus-catch-up'];
const LEAST_SECONDS = 60;
/** Ten times as long as the target allows: who is slower is not waited for. */
const SECONDS_PER_EVENT = 0.012;

/** Events that nobody has published, and events that nobody has read: until the services have caught up. */
export const busCatchUp: RunScenario = async (options) => {
  const { say, signal, scale } = options;
  const { count } = { count: scale.count ?? DEFAULTS.count };
  const enough = { is: count, withinSeconds: LEAST_SECONDS + count * SECONDS_PER_EVENT, signal };
  return onStack(options, {}, async (stack) => {
    const { platform, bus } = stack;
    const tutoring = stack.database('tutoring');
    const catchUp = async (what: () => Promise<number>) => {
      const began = performance.now();
      const ready = platform.resume('services').then(() => performance.now() - began);
      const seconds = await secondsUntil(began, what, enough);
      const read = await secondsUntil(began, () => counted(tutoring), enough);
      return { seconds, read, readySeconds: (await ready) / 1_000 };
    };
    await platform.halt('services');
    say(`Writing ${count} events into tutoring's outbox`);
    await fillOutbox(tutoring, count);
    say('Starting the services: the relay publishes, and the projection reads behind it');
    const relay = await catchUp(() => published(bus));
    say(`Published after ${text(relay.seconds)}, all in the ratings after ${text(relay.read)}`);
    await platform.halt('services');
    await forgetRatings(tutoring);
    say('Starting the services: the projection begins with nothing');
    const projection = await catchUp(() => counted(tutoring));
    say(`All in the ratings after ${text(projection.seconds)}`);
    const anew = await compareRatings(stack);
    say(`Made anew beside them in ${text(anew.seconds)}`);
    const [left] = await tutoring<{ n: number }[]>`select count(*)::int as n from events where published_at is null`;
    const [sum, differing] = [await counted(tutoring), anew.different.tutor_ratings ?? count];
    const figures = {
      ...timed('relay', relay.seconds, count),
      ...timed('through', relay.read, count),
      ...timed('projection', projection.seconds, count),
      ...timed('rebuild', anew.seconds, count),
      readySeconds: projection.readySeconds,
    };
    const wrong = [
      ...(left?.n === 0 ? [] : [`${left?.n} events are not published`]),
      ...(sum === count ? [] : [`${sum} reviews of ${count} were counted`]),
      ...(anew.events === count ? [] : [`the ratings were made anew of ${anew.events} events`]),
      ...(differing === 0 ? [] : [`${differing} ratings differ from those made anew`]),
    ];
    return [
      { scenario: 'bus-catch-up', scale: { count }, figures, contradictions: wrong, versions: await versionsOf(stack) },
    ];
  });
};

/** Seconds, and events a second; nothing when there was no end of it. */
function timed(what: string, seconds: number | undefined, count: number): Record<string, number> {
  return seconds === undefined ? {} : { [`${what}Seconds`]: seconds, [`${what}PerSecond`]: count / seconds };
}

const text = (seconds: number | undefined) => (seconds === undefined ? 'no end' : `${seconds.toFixed(1)} s`);
