import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { historyOf } from '../dev/chaos/histories';
import { sandboxState } from '../dev/chaos/stripe-state';
import { compiledPath } from '../dev/paths';
import { createMarketplace, type Marketplace, type Person, type Tutor } from './support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from './support/platform';

// What a booking and the reads cost, in counts that no machine makes larger or smaller: docs/decisions/0018-budgets.md.

jest.setTimeout(120_000);

interface Budget {
  most: number;
  because: string;
}
type Budgets = Record<string, Budget>;
/** Counts by name, such as `SQL statements of booking`. */
type Counts = Map<string, number>;

const OF_AN_INSTANT_BOOKING: Budgets = {};

/** So often each is made: what depends on timing comes on top of what must be, so the fewest of several is what counts. */
const TIMES = 5;

let platform: TestPlatform;
let market: Marketplace;
let student: Person;
let tutor: Tutor;

beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
  [student, tutor] = await Promise.all([market.student(), market.tutor({ instant: true })]);
  await quiet();
});
afterAll(() => platform?.stop());

const SERIES = /^(\w+)\{(.*)\} (\S+)$/;
const LABEL = /(\w+)="([^"]*)"/g;

/** All that is counted so far, by everything that runs. */
async function counted(): Promise<Counts> {
  const counts: Counts = new Map();
  const add = (name: string, value: number) => counts.set(name, (counts.get(name) ?? 0) + value);
  // All services of this platform are one process, whose metrics are one registry.
  const { body } = await platform.ask('GET', '/metrics');
  for (const line of String(body).split('\n')) {
    const [, name, text = '', value] = SERIES.exec(line) ?? [];
    const { service, operation } = Object.fromEntries([...text.matchAll(LABEL)].map(([, key, is]) => [key, is]));
    if (name === 'database_statements_total') {
      add('SQL statements', Number(value));
      add(`SQL statements of ${service}`, Number(value));
    }
    // The gateway's own are those of clients, and of this test.
    if (name === 'http_request_duration_seconds_count' && service !== 'gateway') {
      add('HTTP calls', Number(value));
      add(`HTTP calls of ${service}: ${operation}`, Number(value));
    }
  }
  const asked = z.object({ requests: z.array(z.object({ path: z.string() })) });
  const { requests } = asked.parse((await platform.sandbox('GET', '/sandbox/requests?limit=1000')).body);
  add('calls to Stripe', requests.filter(({ path }) => path.startsWith('/v1/')).length);
  return counts;
}

/** Stripe has told all that it has to tell, and it was acted on. */
const quiet = () =>
  eventually('all webhooks are processed', async () => {
    if ((await sandboxState(platform)).pending_webhooks > 0) return false;
    const open = await platform.database('payment')`select from stripe_webhooks_log where processed_at is null`;
    return open.length === 0;
  });

/** The mails of the booking are out, and the saga waits for its next reminder. */
const atRest = (id: string) =>
  eventually('the saga is at rest', async () => {
    const sent = await platform.database('notification')`
      select from notifications where booking_id = ${id} and status = 'sent'`;
    const events = await historyOf(platform.temporal, `booking:${id}`);
    const last = events.at(-1);
    return sent.length === 2 && last?.timerStartedEventAttributes && events;
  });

/** What `work` costs: by how much each count grew. `work` may bring counts of its own. */
async function costOf(work: () => Promise<Counts>): Promise<Counts> {
  const before = await counted();
  const own = await work();
  const after = await counted();
  return new Map([...own, ...[...after].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const)]);
}

/** Each count at its lowest. */
async function fewestOf(work: () => Promise<Counts>): Promise<Counts> {
  const costs: Counts[] = [];
  while (costs.length < TIMES) costs.push(await costOf(work));
  const names = new Set(costs.flatMap((cost) => [...cost.keys()]));
  return new Map([...names].map((name) => [name, Math.min(...costs.map((cost) => cost.get(name) ?? 0))]));
}

/** Each count that is over its budget, with the budget and why it is that. What has no budget must not happen. */
function overspent(counts: Counts, budgets: Budgets): string[] {
  return [...counts].flatMap(([name, count]) => {
    const { most, because } = budgets[name] ?? { most: 0, because: 'nothing of this kind belongs here' };
    return count > most ? [`${name}: ${count}, budget ${most} (${because})`] : [];
  });
}

async function bookOne(): Promise<Counts> {
  const { status, body } = await market.book({ student, tutor });
  expect([status, body.status]).toEqual([201, 'confirmed']);
  const events = await atRest(String(body.id));
  await quiet();
  return new Map([
    ['history events', events.length],
    ['workflow tasks', events.filter((event) => event.workflowTaskCompletedEventAttributes).length],
  ]);
}

test('a booking', async () => {
  const counts = await fewestOf(bookOne);
  console.log([...counts].filter(([,n])=>n).sort().map((x) => x.join(' = ')).join('\n'));
  expect(overspent(counts, OF_AN_INSTANT_BOOKING)).toEqual([]);
});
void readFile; void compiledPath;
