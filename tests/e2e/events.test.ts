import { DATABASE_CONTEXTS } from '../../kernel/modules';
import { createMarketplace, type Marketplace } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';

// What one service tells reaches the others by the bus, with everything running as it is installed.

jest.setTimeout(120_000);

let platform: TestPlatform;
let market: Marketplace;
beforeAll(async () => {
  platform = await startTestPlatform();
  market = createMarketplace(platform);
});
afterAll(() => platform?.stop());

test('a token is good for nothing, nowhere, once its session has ended, and that of another session still is', async () => {
  const email = `${Date.now()}@person.example`;
  const password = 'correct horse battery staple';
  const registered = await platform.ask('POST', '/api/auth/register', {
    body: { email, password, role: 'student', firstName: 'Ada', lastName: 'King' },
  });
  const { accessToken: token, refreshToken } = registered.body.tokens;
  const other = (await platform.ask('POST', '/api/auth/login', { body: { email, password } })).body.tokens.accessToken;
  const status = async (path: string, of: string) => (await platform.ask('GET', path, { token: of })).status;
  const PATHS = ['/api/bookings', '/api/notifications', '/api/payments', '/api/auth/me'];
  for (const path of PATHS) expect([path, await status(path, token)]).toEqual([path, 200]);
  expect((await platform.ask('POST', '/api/auth/logout', { body: { refreshToken } })).status).toBe(204);
  for (const path of PATHS) {
    await eventually(`${path} refuses it`, async () => (await status(path, token)) === 401);
    expect([path, await status(path, other)]).toEqual([path, 200]);
  }
});

test('who ends all their other sessions goes on, and the others are good for nothing, nowhere', async () => {
  const email = `${Date.now()}@person.example`;
  const password = 'correct horse battery staple';
  const registered = await platform.ask('POST', '/api/auth/register', {
    body: { email, password, role: 'student', firstName: 'Ada', lastName: 'King' },
  });
  const token = registered.body.tokens.accessToken;
  const other = (await platform.ask('POST', '/api/auth/login', { body: { email, password } })).body.tokens.accessToken;
  const status = async (path: string, of: string) => (await platform.ask('GET', path, { token: of })).status;
  expect(await status('/api/bookings', other)).toBe(200);
  expect((await platform.ask('DELETE', '/api/auth/sessions', { token })).status).toBe(204);
  for (const path of ['/api/bookings', '/api/auth/me']) {
    await eventually(`${path} refuses it`, async () => (await status(path, other)) === 401);
    expect([path, await status(path, token)]).toEqual([path, 200]);
  }
});

test('a tutor sees the name that a student has today', async () => {
  const [student, tutor] = await Promise.all([market.student(), market.tutor({ instant: true })]);
  const booked = await market.book({ student, tutor });
  expect(booked.status).toBe(201);
  const seen = async () =>
    (await platform.ask('GET', `/api/bookings/${booked.body.id}`, { token: tutor.token })).body.studentName;
  expect(await seen()).toBe(`${student.firstName} ${student.lastName}`);
  const renamed = await platform.ask('PATCH', `/api/users/${student.id}`, {
    token: student.token,
    body: { lastName: 'Byron' },
  });
  expect(renamed.status).toBe(200);
  await eventually('the new name is there', async () => (await seen()) === `${student.firstName} Byron`);
});

test('every event that was written is on the bus, and nothing in any of them is a name or an address of anybody', async () => {
  const people = [await market.student(), await market.tutor({ instant: true })];
  const [student, tutor] = people;
  if (!student || !tutor) throw new Error('there are two');
  expect((await market.book({ student, tutor })).status).toBe(201);
  for (const context of DATABASE_CONTEXTS) {
    await eventually(`what ${context} tells is published`, async () => {
      const [row] = await platform.database(context)`select count(*)::int from events where published_at is null`;
      return row?.count === 0;
    });
    const rows = await platform.database(context)<{ text: string }[]>`select data::text as text from events`;
    const texts = rows.map(({ text }) => text).join('\n');
    for (const { firstName, lastName, email } of people)
      for (const word of [firstName, lastName, email]) expect(texts).not.toContain(word);
  }
});
