import { stripVTControlCharacters } from 'node:util';
import type { Calendar } from './calendar';
import type { Person } from './cast';
import type { DatabaseHolder } from './database-holder';
import { stripeView } from './outside';
import type { Stage } from './stage';
import { createTimeline } from './timeline';

const asks = () => Promise.reject(new Error('It asks for something'));

/** What is embedded, on a stage where whatever is asked fails. */
export const CALENDAR: Calendar = { letEarningsFallDue: asks, sweepNow: asks };
export const HOLDER: DatabaseHolder = { makeAdmin: asks, ledgerOf: asks };
export const STRIPE = stripeView('http://127.0.0.1:1');

export const somebody = (name: string): Person => ({ id: name, name, email: `${name}@demo.example`, token: 'token' });

/** A stage on which whatever a story asks for fails. `printed`: what the story said, without colours. */
export function emptyStage(embedded: Pick<Stage, 'stripe' | 'calendar' | 'holder'>): {
  stage: Stage;
  printed: () => string;
} {
  const lines: string[] = [];
  return {
    stage: {
      ...{ run: 'r', gateway: asks, mails: undefined, sagaUrl: (id) => id, killBookingWorker: asks },
      timeline: createTimeline((line) => lines.push(stripVTControlCharacters(line))),
      ...embedded,
    },
    printed: () => lines.join('\n'),
  };
}
