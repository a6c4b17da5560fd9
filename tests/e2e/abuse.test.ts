import { randomBytes } from 'node:crypto';
import { freePortSettings } from '../../dev/machine/ports';
import { uuidv7 } from '../../platform/ids';
import { DOORS } from '../support/doors';
import { forgedServiceTokens, forgedUserTokens, signServiceToken } from '../support/forged-tokens';
import { HOSTILE_BODIES, HOSTILE_PATHS, NEVER_STORED, NO_NAMES, ODD_TEXTS } from '../support/hostile-input';
import { createMarketplace, type Marketplace, type Person, type Tutor } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { expectProblem } from '../support/problems';
import { sendRaw } from '../support/raw-http';
import { ask, type Reply } from '../support/service';

/** What somebody who means harm tries against the whole running platform, from outside and, with a foot in the door, at its services. */

jest.setTimeout(120_000);

const SERVICE_SECRET = randomBytes(32).toString('hex');
let platform: TestPlatform;
let market: Marketplace;
let ports: Record<string, string>;
let student: Person;
let stranger: Person;
let otherTutor: Tutor;
let tutor: Tutor;
let bookingId: string;
let paymentId: string;
let directId: string;

const urlOf = (context: string) => `http://127.0.0.1:${ports[`${context.toUpperCase()}_PORT`]}`;
/** Sends bytes as they are to the gateway and gives all that comes back until the connection ends. */
const send = (bytes: string) => sendRaw(platform.gatewayUrl, bytes);
const payment = (description: string) => ({
  payeeId: tutor.id,
  amount: { amount: 1_000, currency: 'EUR' },
  paymentMethodId: 'pm_card_visa',
  description,
});
const pay = (token: string, change: Record<string, unknown> = {}, key = uuidv7()) =>
  platform.ask('POST', '/api/payments', { token, key, body: { ...payment('Books'), ...change } });

beforeAll(async () => {
  ports = await freePortSettings();
  platform = await startTestPlatform({ ...ports, SERVICE_TOKEN_SECRET: SERVICE_SECRET, RATE_LIMIT_LOGIN: '10' });
  market = createMarketplace(platform);
  [student, stranger, tutor, otherTutor] = await Promise.all([
    market.student(),
    market.student(),
    market.tutor({ instant: true }),
    market.tutor({ instant: true }),
  ]);
  const [booked, paid] = [await market.book({ student, tutor }), await pay(student.token)];
  expect([booked.status, paid.status]).toEqual([201, 201]);
  bookingId = booked.body.id;
  paymentId = booked.body.payment.id;
  directId = paid.body.id;
});
afterAll(() => platform?.stop());

describe('tokens', () => {
  test('that identity did not sign open nothing, at the gateway or at a service', async () => {
    const { body } = await platform.ask('GET', '/api/auth/.well-known/jwks.json');
    const forgeries = await forgedUserTokens(student.token, body.keys, SERVICE_SECRET);
    for (const [what, token] of Object.entries(forgeries)) {
      const replies = await Promise.all([
        platform.ask('GET', '/api/auth/me', { token }),
        platform.ask('GET', '/api/tutors', { token }), // where none is needed a wrong one is still refused
        ...DOORS.map(({ context, user }) => ask(urlOf(context), 'GET', user, { token })),
      ]);
      for (const reply of replies) {
        expect({ what, status: reply.status }).toEqual({ what, status: 401 });
        expectProblem(reply, 401, 'unauthenticated');
      }
    }
  });

  test('of a person, or forged ones of a service, open no internal operation', async () => {
    const tokens = { person: student.token, ...(await forgedServiceTokens(SERVICE_SECRET)) };
    const valid = await signServiceToken(SERVICE_SECRET);
    for (const { context, internal } of DOORS) {
      if (!internal) continue;
      expect([200, 404]).toContain((await ask(urlOf(context), 'GET', internal, { token: valid })).status); // a list of none
      for (const [what, token] of Object.entries(tokens)) {
        const { status } = await ask(urlOf(context), 'GET', internal, { token });
        expect({ what, context, status }).toEqual({ what, context, status: 401 });
      }
    }
  });

  test('refreshing with a token that was used already ends the session, for thief and owner alike', async () => {
    const { body } = await platform.ask('POST', '/api/auth/login', {
      body: { email: stranger.email, password: market.password },
    });
    const refresh = (refreshToken: string) => platform.ask('POST', '/api/auth/refresh', { body: { refreshToken } });
    const first = body.tokens.refreshToken;
    const second = await refresh(first);
    expect(second.status).toBe(200);
    expectProblem(await refresh(first), 401, 'invalid_refresh_token');
    // Within ten seconds it may have been the owner's own second click: put the rotation into the past.
    await platform.database('identity')`update refresh_tokens set used_at = used_at - interval '11 seconds'`;
    expectProblem(await refresh(first), 401, 'invalid_refresh_token');
    expectProblem(await refresh(second.body.tokens.refreshToken), 401, 'invalid_refresh_token');
  });
});

describe('other people’s things', () => {
  test('do not exist for those whom they do not concern, and what one may not do is refused', async () => {
    const booking = `/api/bookings/${bookingId}`;
    const refund = { reason: 'Mine', amount: { amount: 1, currency: 'EUR' } };
    const theirs = { currentPassword: market.password, newPassword: 'of a stranger' };
    const attempts: [who: Person, method: string, path: string, body: unknown, status: number][] = [
      ...[stranger, otherTutor].flatMap((who): [Person, string, string, unknown, number][] => [
        [who, 'GET', booking, undefined, 404],
        [who, 'GET', `${booking}/timeline`, undefined, 404],
        [who, 'PATCH', booking, { scheduledAt: market.nextHour() }, 404],
        [who, 'POST', `${booking}/cancel`, { reason: 'x' }, 404],
        [who, 'GET', `/api/payments/${directId}`, undefined, 404],
        [who, 'GET', `/api/payments/${paymentId}/refunds`, undefined, 404],
        [who, 'GET', `/api/payments/${directId}/receipt.pdf`, undefined, 404],
        [who, 'POST', `/api/payments/${directId}/refund`, refund, 404],
        [who, 'PATCH', `/api/users/${student.id}`, { firstName: 'Mallory' }, 404],
        [who, 'POST', `/api/users/${student.id}/change-password`, theirs, 404],
        [who, 'POST', `/api/tutors/${tutor.id}/verify`, undefined, 403],
        [who, 'GET', '/api/users?q=ada', undefined, 403],
      ]),
      [otherTutor, 'POST', `${booking}/confirm`, undefined, 404],
      [otherTutor, 'POST', `${booking}/decline`, { reason: 'x' }, 404],
      [otherTutor, 'POST', `${booking}/complete`, undefined, 404],
      [student, 'POST', `${booking}/confirm`, undefined, 403],
      [student, 'POST', `${booking}/complete`, undefined, 403],
      [student, 'POST', `/api/payments/${directId}/refund`, refund, 403],
      [student, 'POST', '/api/tutors/profile', {}, 403],
      [tutor, 'POST', '/api/bookings', {}, 403],
      [tutor, 'POST', `/api/tutors/${tutor.id}/verify`, undefined, 403],
    ];
    for (const [{ token }, method, path, body, status] of attempts) {
      const reply = await platform.ask(method, path, { token, body, ...(method !== 'GET' && { key: uuidv7() }) });
      expect({ method, path, status: reply.status }).toEqual({ method, path, status });
      expectProblem(reply, status);
    }
    const { body } = await platform.ask('GET', booking, { token: student.token });
    expect(body).toMatchObject({ status: 'confirmed', payment: { refunded: { amount: 0 } } });
  });

  test('nobody makes themselves more than they are', async () => {
    const person = { email: `${uuidv7()}@person.example`, password: market.password, firstName: 'M', lastName: 'M' };
    const register = (change: object) => platform.ask('POST', '/api/auth/register', { body: { ...person, ...change } });
    expectProblem(await register({ role: 'admin' }), 422, 'validation_failed');
    for (const field of ['status', 'emailVerified', 'id', 'isAdmin']) {
      expectProblem(await register({ role: 'student', [field]: true }), 422, 'validation_failed');
    }
    for (const raw of ['{"role":"admin"}', '{"firstName":"M","__proto__":{"role":"admin"}}', '{"constructor":{}}']) {
      expectProblem(await platform.ask('PATCH', `/api/users/${student.id}`, { token: student.token, raw }), 422);
    }
    expect((await platform.ask('GET', '/api/auth/me', { token: student.token })).body.role).toBe('student');
  });
});

describe('paths', () => {
  test.each(HOSTILE_PATHS)('%s leads nowhere', async (path) => {
    const reply = await send(`GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(reply).toMatch(/^HTTP\/1\.1 404 /);
    expect(reply).toContain('"code":"not_found"');
  });
});

describe('bodies', () => {
  const PLACES = ['/api/auth/register', '/api/auth/login', '/api/bookings', '/api/payments', '/api/stripe/webhooks'];
  test.each(HOSTILE_BODIES)('%s are refused everywhere', async (_, sent, status) => {
    for (const path of PLACES) {
      expectProblem(await platform.ask('POST', path, { token: student.token, key: uuidv7(), ...sent }), status);
    }
  });

  test('that do not come to an end do not keep anything waiting', async () => {
    const started = performance.now();
    const head =
      'POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{"a":';
    const [reply] = await Promise.all([
      send(head),
      platform.ask('GET', '/api/tutors').then(({ status }) => expect(status).toBe(200)),
    ]);
    expect(reply).toMatch(/^HTTP\/1\.1 408 /);
    expect(reply).toContain('"code":"request_timeout"');
    expect(performance.now() - started).toBeLessThan(20_000);
  });
});

describe('texts', () => {
  test.each(ODD_TEXTS)('%s is stored as it is or refused, in every field and filter', async (what, text) => {
    const mine = `/api/users/${stranger.id}`;
    for (const [{ token }, path, body] of [
      [stranger, mine, { firstName: text }],
      [otherTutor, '/api/tutors/profile', { displayName: text }],
    ] as const) {
      const reply = await platform.ask('PATCH', path, { token, key: uuidv7(), body });
      const expected = [...NEVER_STORED, ...NO_NAMES].includes(what) ? 422 : 200;
      expect({ path, status: reply.status }).toEqual({ path, status: expected });
    }
    const fields: [who: Person, method: string, path: string, body: unknown][] = [
      [otherTutor, 'PATCH', '/api/tutors/profile', { headline: text, biography: text }],
      [otherTutor, 'PATCH', '/api/tutors/profile', { education: [{ institution: text, degree: text }] }],
      [otherTutor, 'POST', '/api/tutors/certifications', { name: `${text} ${uuidv7()}`, issuer: text }],
      [stranger, 'POST', '/api/payments', payment(text)],
      [tutor, 'POST', `/api/payments/${directId}/refund`, { reason: text, amount: { amount: 1, currency: 'EUR' } }],
    ];
    for (const [{ token }, method, path, body] of fields) {
      const reply = await platform.ask(method, path, { token, key: uuidv7(), body });
      const expected = NEVER_STORED.includes(what) ? 422 : method === 'PATCH' ? 200 : 201;
      expect({ path, status: reply.status }).toEqual({ path, status: expected });
    }
    const never: [method: string, path: string, body: unknown, status: number[]][] = [
      ['PATCH', mine, { timeZone: text }, [422]],
      ['PATCH', mine, { locale: text }, [422]],
      ['PATCH', mine, { avatarUrl: `https://a.example/${text} ` }, [200, 422]],
      ['POST', '/api/auth/login', { email: text, password: text }, [401]],
      ['POST', '/api/auth/refresh', { refreshToken: text }, [401]],
      ['POST', '/api/auth/verify-email', { token: text }, [400]],
      ['POST', '/api/auth/forgot-password', { email: text }, [202]],
      ['POST', '/api/auth/reset-password', { token: text, password: market.password }, [400]],
      ['POST', '/api/auth/logout', { refreshToken: text }, [204]],
    ];
    for (const [method, path, body, status] of never) {
      const reply = await platform.ask(method, path, { token: stranger.token, key: uuidv7(), body });
      expect({ path, body, ok: status.includes(reply.status), status: reply.status }).toMatchObject({ ok: true });
    }
    const query = encodeURIComponent(text.isWellFormed() ? text : '\ufffd');
    for (const filter of [
      ...['tutors?q', 'tutors?subject', 'tutors?cursor'],
      ...['bookings?cursor', 'bookings?from', 'notifications?cursor'],
    ]) {
      const { status } = await platform.ask('GET', `/api/${filter}=${query}`, { token: student.token });
      expect({ filter, fine: [200, 422].includes(status), status }).toMatchObject({ fine: true });
    }
  });

  test('markup and line breaks in names and descriptions are only text in mails', async () => {
    const evil = '"><img src=x onerror=alert(1)>';
    const renamed = { token: student.token, body: { firstName: evil } };
    expect((await platform.ask('PATCH', `/api/users/${student.id}`, renamed)).status).toBe(200);
    // Nobody is quoted to an address that is not confirmed.
    await platform.database('notification')`update contacts set email_verified = true where user_id = ${student.id}`;
    const known = () => platform.database('notification')`select 1 from people where display_name like '%onerror%'`;
    await eventually('notification has heard of the name', async () => (await known()).length === 1);
    expect((await pay(student.token, { description: `${evil}\r\nBcc: victim@person.example` })).status).toBe(201);
    const mail = await eventually('the receipt has come', async () =>
      (await platform.mails()).find(
        ({ recipients, text }) => recipients.includes(student.email) && text?.includes('onerror'),
      ),
    );
    expect([mail.recipients, 'bcc' in mail]).toEqual([[student.email], false]);
    expect(mail.html).not.toContain('<img src=x');
    expect(mail.subject ?? '').not.toMatch(/[\r\n]/);
  });
});

describe('money and times', () => {
  test.each([-1, 0, 49, 0.5, 1e30, 100_000_000, 2 ** 53, '100', null, true, [], {}])(
    '%j is no amount',
    async (amount) => {
      expectProblem(await pay(student.token, { amount: { amount, currency: 'EUR' } }), 422, 'validation_failed');
      const options = [{ kind: 'hourly', price: { amount, currency: 'EUR' } }];
      expectProblem(
        await platform.ask('PUT', '/api/tutors/pricing', { token: otherTutor.token, body: { options } }),
        422,
        'validation_failed',
      );
    },
  );

  test.each(['eur', 'EU', 'XXX', '€', ''])('%j is no currency', async (currency) => {
    expectProblem(await pay(student.token, { amount: { amount: 1_000, currency } }), 422, 'validation_failed');
  });

  test('a refund is never more than what is left, nor of another currency', async () => {
    const refund = (amount: unknown) =>
      platform.ask('POST', `/api/payments/${directId}/refund`, {
        token: tutor.token,
        key: uuidv7(),
        body: { amount, reason: 'x' },
      });
    expectProblem(await refund({ amount: 1_001, currency: 'EUR' }), 409, 'refund_exceeds_payment');
    expectProblem(await refund({ amount: 1, currency: 'USD' }), 422, 'validation_failed');
    expectProblem(await refund({ amount: -1, currency: 'EUR' }), 422, 'validation_failed');
  });

  test.each([
    ['2020-01-01T00:00:00Z', 409],
    ['2999-01-01T00:00:00Z', 409],
    ['9999-12-31T23:45:00Z', 422],
    ['9999-12-31T23:45:00-14:00', 422],
    ['0000-01-01T00:00:00Z', 422],
    ['2027-02-30T10:00:00Z', 422],
    ['2027-01-04T10:00:07Z', 422],
    ['2027-01-04T10:00:00', 422],
    ['2027-01-04T10:00:00+25:00', 422],
    ['2027-01-04', 422],
    ['now', 422],
  ])('%s cannot be booked', async (at, status) => {
    expectProblem(await market.book({ student, tutor, at }), status);
  });

  test.each([
    '/api/bookings?from=9999-12-31T23:59:59-14:00',
    '/api/bookings?from=0000-01-01T00:00:00Z',
    '/api/bookings?limit=0',
    '/api/bookings?limit=1e9',
    '/api/bookings?limit=1&limit=2',
    '/api/bookings?cursor=e30',
    '/api/tutors?cursor=bnVsbA',
    '/api/tutors?maxPrice=-1&currency=EUR',
    '/api/tutors?maxPrice=5000',
    '/api/tutors?sort=price_asc',
    '/api/tutors?currency=XDR',
    '/api/tutors?minRating=NaN',
    '/api/tutors?unknown=1',
  ])('%s is not valid', async (path) => {
    expectProblem(await platform.ask('GET', path, { token: student.token }), 422, 'validation_failed');
  });

  test.each<[string, object]>([
    ['reversed', { weekly: [{ weekday: 1, from: '17:00', to: '09:00' }] }],
    ['empty', { weekly: [{ weekday: 1, from: '09:00', to: '09:00' }] }],
    ['on an eighth day', { weekly: [{ weekday: 8, from: '09:00', to: '10:00' }] }],
    ['after midnight', { weekly: [{ weekday: 1, from: '09:00', to: '24:15' }] }],
    ['in a zone there is not', { timeZone: 'Mars/Olympus' }],
    ['in a path for a zone', { timeZone: '../../etc/passwd' }],
    ['on a day there is not', { exceptions: [{ date: '2027-02-29', available: false }] }],
  ])('hours %s are not valid', async (_, change) => {
    const body = { timeZone: 'Europe/Berlin', weekly: [], exceptions: [], ...change };
    const reply = await platform.ask('PUT', '/api/tutors/availability', { token: otherTutor.token, body });
    expectProblem(reply, 422, 'validation_failed');
  });
});

describe('headers', () => {
  test.each([
    ['a space', 'a b'],
    ['markup', '<script>'],
    ['129 characters', 'x'.repeat(129)],
    ['a letter outside ASCII', 'é'],
    ['an encoded line break', 'a%0d%0aX-Evil: 1'],
  ])('%s makes no request id', async (_, id) => {
    const reply = await send(`GET /api/tutors HTTP/1.1\r\nHost: x\r\nX-Request-Id: ${id}\r\nConnection: close\r\n\r\n`);
    expect(reply).toMatch(/^HTTP\/1\.1 200 /);
    expect(reply).toMatch(/\r\nX-Request-Id: [0-9a-f-]{36}\r\n/i);
    expect(reply).not.toMatch(/X-Evil/i);
  });

  test.each([
    ['a space', 'a b'],
    ['a letter outside ASCII', 'é'],
    ['256 characters', 'x'.repeat(256)],
  ])('%s makes no idempotency key', async (_, key) => {
    expect(await post({ 'Idempotency-Key': key })).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"invalid_idempotency_key"/);
  });

  test('an empty idempotency key is not taken for none, where one is welcome but not needed', async () => {
    const sent = { token: otherTutor.token, headers: { 'idempotency-key': '' }, body: { options: [] } };
    expectProblem(await platform.ask('PUT', '/api/tutors/pricing', sent), 400, 'invalid_idempotency_key');
  });

  test('a trace context that is none is left out', async () => {
    for (const traceparent of ['é', '00-0-0-00', 'x'.repeat(4_000)]) {
      expect(await post({ traceparent, 'Idempotency-Key': uuidv7() })).toMatch(/^HTTP\/1\.1 201 /);
    }
  });

  test('with control characters are refused', async () => {
    const reply = await send('GET /api/tutors HTTP/1.1\r\nHost: x\r\nX-Request-Id: a\0b\r\n\r\n');
    expect(reply).toMatch(/^HTTP\/1\.1 400 [\s\S]*"code":"malformed_request"/);
  });

  function post(headers: Record<string, string>) {
    const body = JSON.stringify({ ...payment('x'), amount: { amount: 100, currency: 'EUR' } });
    const all = { Host: 'x', Authorization: `Bearer ${student.token}`, 'Content-Type': 'application/json', ...headers };
    const lines = Object.entries({ ...all, 'Content-Length': body.length, Connection: 'close' });
    return send(
      `POST /api/payments HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`,
    );
  }
});

test('metrics and readiness are behind no door that others may try', async () => {
  for (const path of ['/metrics', '/readyz']) {
    expectProblem(await platform.ask('GET', path), 404, 'not_found');
    for (const { context } of DOORS) expectProblem(await ask(urlOf(context), 'GET', path), 404, 'not_found');
  }
});

test('passwords cannot be guessed in a row, nor is it told whether an account exists', async () => {
  const guess = (email: string) =>
    platform.ask('POST', '/api/auth/login', { body: { email, password: randomBytes(8).toString('hex') } });
  for (const email of [otherTutor.email, `${uuidv7()}@person.example`]) {
    const replies: Reply[] = [];
    for (let attempt = 0; attempt < 12; attempt++) replies.push(await guess(email));
    expect(replies.map(({ status }) => status)).toEqual([...Array(10).fill(401), 429, 429]);
    expect(Number(replies.at(-1)?.headers['retry-after'])).toBeGreaterThan(0);
    expect(new Set(replies.slice(0, 10).map(({ body }) => `${body.code} ${body.detail}`)).size).toBe(1);
  }
});
