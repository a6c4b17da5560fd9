import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { historyOf, succeededActivities } from '../dev/chaos/histories';
import { sandboxState } from '../dev/chaos/stripe-state';
import { compiledPath } from '../dev/machine/paths';
import { DAY } from '../kernel/time';
import { createMarketplace, type Marketplace, type Person, type Tutor } from './support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from './support/platform';

// What bookings and reads cost, in counts that no machine makes larger or smaller: docs/decisions/0025-budgets.md.

jest.setTimeout(120_000);

/** What, how many at most, and why it is that many. */
type Budget = readonly [name: string, most: number, because: string];
/** Counts by name, such as `SQL statements of booking`. */
type Counts = Map<string, number>;

const OF_AN_INSTANT_BOOKING: Budget[] = [
  ['workflow tasks', 3, 'up to the charge; after it, up to confirm; after that, with the notice and the first timer'],
  ['history events', 21, 'the start, the tasks 9, two recorded activities 6, three local steps 3, a state and a timer'],
  ['SQL statements', 92, 'the sum of the services'],
  [
    'SQL statements of booking',
    35,
    'claim 5, start and end of the wait 2, reply 2, request 1, create 10, payment 8, confirm 6, facts of the notice 1',
  ],
  ['SQL statements of identity', 1, 'both people in one'],
  ['SQL statements of notification', 24, 'two mails: record 6, claim 1, where it goes 1, outcome 4'],
  [
    'SQL statements of payment',
    22,
    'attempt 8, outcome, ledger and what tells of it 9, a webhook that could matter 3 and two that cannot 1',
  ],
  ['SQL statements of tutoring', 10, 'quote 2, hold 8'],
  ['calls to Stripe', 1, 'the charge; the webhook about it finds all of it in the ledger'],
  ['HTTP calls', 15, 'the sum of the operations'],
  ['HTTP calls of booking: bookSession', 1, 'the request'],
  [
    'HTTP calls of booking: internalBeginBookingRequest',
    1,
    'what was asked for stays out of the history; marks that its saga has begun',
  ],
  ['HTTP calls of booking: internalCreateBooking', 1, 'a step'],
  ['HTTP calls of booking: internalRecordPayment', 1, 'the client reads the payment where its booking is'],
  ['HTTP calls of booking: internalConfirmBooking', 1, 'a step'],
  ['HTTP calls of booking: internalGetBooking', 1, 'names in the notice stay out of the history'],
  ['HTTP calls of identity: internalGetPeople', 1, 'both people at once'],
  ['HTTP calls of notification: recordNotification', 2, 'a mail each, so that one that fails is tried again alone'],
  ['HTTP calls of payment: chargeBooking', 1, 'a step'],
  ['HTTP calls of payment: stripeWebhook', 3, 'Stripe tells of the intent made, the charge, and the intent paid'],
  ['HTTP calls of tutoring: quoteSession', 1, 'price, name and zone'],
  ['HTTP calls of tutoring: holdSlot', 1, 'a step'],
];

const OF_A_CONFIRMED_BOOKING: Budget[] = [
  ['workflow tasks', 6, 'as above, and after the authorisation, for the tutor’s word and after the block'],
  [
    'history events',
    48,
    'as above, and three tasks 9, capture and block 6, three local steps 3, a state, the update 2, its deadline 2, and the marks of looking after the authorisation and of one local step at a time 4',
  ],
  [
    'SQL statements',
    168,
    'as above, and two more mails 24, authorising apart from capturing, asking the tutor, the command, block 8',
  ],
  ['calls to Stripe', 3, 'authorise, capture, and one look at what the webhook of the authorisation tells of'],
  [
    'HTTP calls',
    26,
    'as above, and confirm, capture, a second payment state, await, extend, block, two mails, facts, two webhooks',
  ],
];

const OF_THE_BUNDLE: Budget[] = [
  [
    'kB',
    730,
    'mostly Temporal’s own; comments and names count, so up to the next ten. A library adds more than that. Thirty were added with moves that reserve first, shares, and what sagas of before go by, ten with payouts, ten with debts and the tries of weekly payouts, twenty with disputes and the refunds that wait for them, ten with what holds rows to their events, ten with changes of an address, twenty with who becomes a tutor and who is kept out',
  ],
];

/** Paths through the gateway, with the SQL statements that each costs. */
const READS = {
  getBooking: [1, 'one join', () => `/api/bookings/${bookingId}`],
  listBookings: [1, 'one join, with one row more to know of a next page', () => '/api/bookings'],
  listTutors: [
    1,
    'ids and versions; tutors that have not changed are not read',
    () => '/api/tutors?subject=Mathematics',
  ],
  listTutorSlots: [
    2,
    'the hours, and what is taken of them',
    () => `/api/tutors/${instant.id}/slots?from=${inDays(1)}&to=${inDays(8)}&durationMinutes=60`,
  ],
  getTutor: [1, 'one join', () => `/api/tutors/${instant.id}`],
} as const;

const inDays = (days: number) => new Date(Date.now() + days * DAY).toISOString();

/** So often each is made: what depends on timing comes on top of what must be, so the fewest of several is what counts. */
const TIMES = 5;

let platform: TestPlatform;
let market: Marketplace;
let student: Person;
let instant: Tutor;
let confirming: Tutor;
let bookingId: string;

beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
  [student, instant, confirming] = await Promise.all([
    market.student(),
    market.tutor({ instant: true }),
    market.tutor({ instant: false }),
  ]);
  // As with Stripe itself, the answer to a charge is first. The sandbox is quick enough to make a race of it.
  const later = { kind: 'webhook_delay', ms: 300, times: 1_000 };
  expect((await platform.sandbox('POST', '/sandbox/faults', later)).status).toBe(201);
});
afterAll(() => platform?.stop());

const SERIES = /^(\w+)\{(.*)\} (\S+)$/;
const LABEL = /(\w+)="([^"]*)"/g;

/** All that is counted so far, by everything that runs. */
async function counted(): Promise<Counts> {
  const counts: Counts = new Map();
  const add = (name: string, value: number) => counts.set(name, (counts.get(name) ?? 0) + value);
  // All services of this platform are one process, and its metrics those of all.
  for (const line of (await platform.metrics()).split('\n')) {
    const [, name, text = '', value] = SERIES.exec(line) ?? [];
    const { service, operation } = Object.fromEntries([...text.matchAll(LABEL)].map(([, key, is]) => [key, is]));
    // Relays and consumers look once a second, whatever is booked: how many statements that is says nothing. The benchmark has their cost.
    if (name === 'database_statements_total' && service !== 'bus') {
      add('SQL statements', Number(value));
      add(`SQL statements of ${service}`, Number(value));
    }
    // The gateway's are those of clients, and the management port's those of this test.
    if (name === 'http_request_duration_seconds_count' && service !== 'gateway' && service !== 'management') {
      add('HTTP calls', Number(value));
      add(`HTTP calls of ${service}: ${operation}`, Number(value));
    }
  }
  const log = z.object({ requests: z.array(z.object({ path: z.string() })) });
  const { requests } = log.parse((await platform.sandbox('GET', '/sandbox/requests?limit=1000')).body);
  add('calls to Stripe', requests.filter(({ path }) => path.startsWith('/v1/')).length);
  return counts;
}

/** What each count grew by while `work` ran, with the counts that it brings itself. Zeros are left out. */
async function costOf(work: () => Promise<Counts>): Promise<Counts> {
  const before = await counted();
  const own = await work();
  const grown = [...(await counted())].map(([name, count]) => [name, count - (before.get(name) ?? 0)] as const);
  return new Map([...own, ...grown].filter(([, count]) => count > 0));
}

/** Each count at its lowest. */
async function fewestOf(work: () => Promise<Counts>): Promise<Counts> {
  const costs: Counts[] = [];
  while (costs.length < TIMES) costs.push(await costOf(work));
  const names = new Set(costs.flatMap((cost) => [...cost.keys()]));
  return new Map([...names].map((name) => [name, Math.min(...costs.map((cost) => cost.get(name) ?? 0))]));
}

/** The counts that are over their budgets, with the budget and why it is that. What has no budget must not happen. */
function overspent(counts: Counts, budgets: Budget[]): string[] {
  const known = new Map(budgets.map(([name, most, because]) => [name, { most, because }]));
  const over = [...counts].flatMap(([name, count]) => {
    const { most, because } = known.get(name) ?? { most: 0, because: 'nothing of this kind belongs here' };
    return count > most ? [`${name}: ${count}, budget ${most} (${because})`] : [];
  });
  const gone = [...known.keys()].filter((name) => !counts.get(name));
  return [...over, ...gone.map((name) => `${name}: none was counted, so its budget is to be taken out`)];
}

/** Without the parts: what they are for is said where an instant booking is. */
const sums = (counts: Counts): Counts => new Map([...counts].filter(([name]) => !name.includes(' of ')));

/** Waits until nothing more comes of a booking: its mails are out, all webhooks are done, and the saga waits for its reminder. */
async function atRest(id: string, mails: number): Promise<Counts> {
  const events = await eventually('the saga is at rest', async () => {
    const sent = await platform.database('notification')`
      select from notifications where booking_id = ${id} and status = 'sent'`;
    const history = await historyOf(platform.temporal, `booking:${id}`);
    const notices = succeededActivities(history).filter((name) => name === 'notifyBooking');
    return sent.length === mails && notices.length === mails / 2 && history;
  });
  await webhooksDone();
  const tasks = events.filter((event) => event.workflowTaskCompletedEventAttributes);
  return new Map([
    ['history events', events.length],
    ['workflow tasks', tasks.length],
  ]);
}

const webhooksDone = () =>
  eventually('all webhooks are processed', async () => {
    if ((await sandboxState(platform)).pending_webhooks > 0) return false;
    const open = await platform.database('payment')`select from stripe_webhooks_log where processed_at is null`;
    return open.length === 0;
  });

async function bookInstantly(): Promise<Counts> {
  const { status, body } = await market.book({ student, tutor: instant });
  expect([status, body.status]).toEqual([201, 'confirmed']);
  bookingId = String(body.id);
  return atRest(bookingId, 2);
}

async function bookAndConfirm(): Promise<Counts> {
  const { body } = await market.book({ student, tutor: confirming });
  expect((await market.confirm(confirming, body.id)).status).toBe(200);
  return atRest(String(body.id), 4);
}

test('a booking at an instant tutor keeps to its budget', async () => {
  await webhooksDone();
  expect(overspent(await fewestOf(bookInstantly), OF_AN_INSTANT_BOOKING)).toEqual([]);
});

test('a booking that its tutor confirms keeps to its budget', async () => {
  await webhooksDone();
  expect(overspent(sums(await fewestOf(bookAndConfirm)), OF_A_CONFIRMED_BOOKING)).toEqual([]);
});

test.each(Object.entries(READS))('%s keeps to its budget', async (_, [statements, because, pathOf]) => {
  if (!bookingId) await bookInstantly();
  const counts = await fewestOf(async () => {
    expect((await platform.ask('GET', pathOf(), { token: student.token })).status).toBe(200);
    return new Map();
  });
  const budgets: Budget[] = [
    ['SQL statements', statements, because],
    ['HTTP calls', 1, 'the gateway asks one service, which asks nobody'],
  ];
  expect(overspent(sums(counts), budgets)).toEqual([]);
});

test('the code of the workflow bundle keeps to its budget', async () => {
  const bundle = await readFile(compiledPath('workflow-bundle.js'), 'utf8');
  // The source map behind it names files by where the project lies.
  const [code = ''] = bundle.split('//# sourceMappingURL=');
  expect(overspent(new Map([['kB', Math.ceil(code.length / 1_000)]]), OF_THE_BUNDLE)).toEqual([]);
});
