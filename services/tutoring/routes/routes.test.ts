import { eq } from 'drizzle-orm';
import { events, tutorRatings } from '../../../db/schema/tutoring';
import { DAY, HOUR, MINUTE } from '../../../kernel/time';
import { serviceTokens } from '../../../platform/auth';
import { createServiceClient, type ServiceClient } from '../../../platform/http-client';
import { uuidv7 } from '../../../platform/ids';
import { type Reply, startTestService, type TestService } from '../../../tests/support/service';
import { ALWAYS, listedTutor, newTutor, PROFILE, type TestTutor, type TutorFacts } from '../../../tests/support/tutors';
import { createTutoringClient, type TutoringClient } from '../client';
import { tutoringContract } from '../contract';
import { tutoringService } from '.';

let service: TestService;
let http: ServiceClient;
let client: TutoringClient;
beforeAll(async () => {
  service = await startTestService(tutoringService);
  http = createServiceClient(service.url, serviceTokens(service.config.SERVICE_TOKEN_SECRET));
  client = createTutoringClient(http);
});
afterAll(async () => {
  await http.close();
  await service.close();
});

/** The fields that are wrong; one may be wrong in two ways. */
const paths = (reply: Reply): string[] => [
  ...new Set<string>(reply.body.errors.map(({ path }: { path: string }) => path)),
];
const as = (tutor: TestTutor, method: string, path: string, body?: unknown, key?: string) =>
  service.ask(method, path, { token: tutor.token, ...(body !== undefined && { body }), ...(key && { key }) });
const nowhere = '0199c0de-0000-7000-8000-00000000dead';

describe('a profile', () => {
  test('is completed once; until then nobody sees it', async () => {
    const tutor = await newTutor(service, { displayName: 'Ada Tutor' });
    expect((await service.ask('GET', `/api/tutors/${tutor.id}`)).status).toBe(404);

    const created = await as(tutor, 'POST', '/api/tutors/profile', PROFILE);
    expect(created.status).toBe(201);
    expect(created.body).toEqual({
      ...PROFILE,
      id: tutor.id,
      userId: tutor.id,
      displayName: 'Ada Tutor',
      pricing: [],
      rating: { average: null, count: 0 },
      verified: false,
      listed: false,
      education: [],
      certifications: [],
    });
    expect((await service.ask('GET', `/api/tutors/${tutor.id}`)).body).toEqual(created.body);

    const again = await as(tutor, 'POST', '/api/tutors/profile', PROFILE);
    expect([again.status, again.body.code]).toEqual([409, 'profile_exists']);
  });

  test('takes any of its fields later and keeps the others', async () => {
    const tutor = await listedTutor(service);
    const education = [{ institution: 'TU Berlin', degree: 'MSc', startYear: 2001, endYear: null }];
    const changed = await as(tutor, 'PATCH', '/api/tutors/profile', {
      headline: '  Cafe\u0301 maths  ',
      subjects: ['Chemistry'],
      education,
      displayName: 'Tina T.',
    });
    expect(changed.status).toBe(200);
    expect(changed.body).toMatchObject({
      headline: 'Café maths',
      subjects: ['Chemistry'],
      education,
      displayName: 'Tina T.',
      biography: PROFILE.biography,
      languages: PROFILE.languages,
      listed: true,
    });
    const cleared = await as(tutor, 'PATCH', '/api/tutors/profile', { education: [] });
    expect(cleared.body).toMatchObject({ education: [], subjects: ['Chemistry'] });
    expect((await as(tutor, 'PATCH', '/api/tutors/profile', {})).body).toEqual(cleared.body);
  });

  test('that sign-up has not made is nowhere to be found', async () => {
    const token = await service.userToken({ role: 'tutor' });
    const asked: [string, string, unknown?][] = [
      ['POST', '/api/tutors/profile', PROFILE],
      ['PATCH', '/api/tutors/profile', { headline: 'Hi' }],
      ['PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly: [], exceptions: [] }],
      ['PUT', '/api/tutors/pricing', { options: [] }],
      ['POST', '/api/tutors/certifications', { name: 'C2', issuer: 'Institute' }],
      ['GET', '/api/tutors/profile'],
    ];
    for (const [method, path, body] of asked)
      expect((await service.ask(method, path, { token, ...(body !== undefined && { body }) })).status).toBe(404);
  });

  test('is read by its tutor with its hours, also before it is complete', async () => {
    const tutor = await newTutor(service);
    const hours = {
      timeZone: 'America/New_York',
      weekly: [
        { weekday: 5, from: '09:05', to: '12:00' },
        { weekday: 1, from: '13:00', to: '24:00' },
      ],
      exceptions: [
        { date: '2030-12-24', available: false },
        { date: '2030-12-27', from: '10:00', to: '11:30' },
      ],
    };
    expect((await as(tutor, 'PUT', '/api/tutors/availability', hours)).body).toEqual(hours);
    const own = await as(tutor, 'GET', '/api/tutors/profile');
    expect(own.body).toMatchObject({ id: tutor.id, headline: '', timeZone: 'America/New_York', listed: false });
    expect(own.body.availability).toEqual(hours);
  });

  const invalid: [what: string, patch: Record<string, unknown>, path: string][] = [
    ['no subjects', { subjects: [] }, 'subjects'],
    ['a subject twice', { subjects: ['Maths', 'maths'] }, 'subjects.1'],
    ['a blank headline', { headline: '   ' }, 'headline'],
    ['a NUL character', { biography: 'a\u0000b' }, 'biography'],
    ['a lone surrogate', { biography: 'a\ud800b' }, 'biography'],
    ['a zone there is not', { timeZone: 'Europe/Atlantis' }, 'timeZone'],
    ['an offset for a zone', { timeZone: '+02:00' }, 'timeZone'],
    ['a text for a yes or no', { instantBooking: 'yes' }, 'instantBooking'],
    ['a field of the platform', { verified: true }, 'verified'],
    ['a role', { role: 'admin' }, 'role'],
  ];
  test.each(invalid)('with %s is not valid', async (_, patch, path) => {
    const tutor = await newTutor(service);
    const reply = await as(tutor, 'POST', '/api/tutors/profile', { ...PROFILE, ...patch });
    expect(reply.status).toBe(422);
    expect(paths(reply)).toEqual([path]);
    expect((await as(tutor, 'PATCH', '/api/tutors/profile', patch)).status).toBe(422);
  });

  test('holds the longest of words and any script', async () => {
    const tutor = await newTutor(service);
    const biography = `${'x'.repeat(4_900)} Ωμέγα 😀`;
    const reply = await as(tutor, 'POST', '/api/tutors/profile', { ...PROFILE, biography });
    expect(reply.body.biography).toBe(biography);
  });

  test('one key gives the first reply again, and another body under it is refused', async () => {
    const tutor = await newTutor(service);
    const key = uuidv7();
    const first = await as(tutor, 'POST', '/api/tutors/profile', PROFILE, key);
    const second = await as(tutor, 'POST', '/api/tutors/profile', PROFILE, key);
    expect([second.status, second.body]).toEqual([201, first.body]);
    const other = await as(tutor, 'POST', '/api/tutors/profile', { ...PROFILE, headline: 'Other' }, key);
    expect(other.body.code).toBe('idempotency_key_reused');
    // The same key of somebody else is another key.
    expect((await as(await newTutor(service), 'POST', '/api/tutors/profile', PROFILE, key)).status).toBe(201);
  });
});

describe('who may do what', () => {
  const writes: [string, string, unknown][] = [
    ['GET', '/api/tutors/profile', undefined],
    ['POST', '/api/tutors/profile', PROFILE],
    ['PATCH', '/api/tutors/profile', {}],
    ['PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly: [], exceptions: [] }],
    ['PUT', '/api/tutors/pricing', { options: [] }],
    ['POST', '/api/tutors/certifications', { name: 'C2', issuer: 'Institute' }],
    ['DELETE', `/api/tutors/certifications/${nowhere}`, undefined],
    ['POST', `/api/tutors/${nowhere}/verify`, undefined],
  ];
  test.each(writes)('%s %s needs a token of the right role (%#)', async (method, path, body) => {
    const send = (token?: string) =>
      service.ask(method, path, { ...(token && { token }), ...(body !== undefined && { body }) });
    expect((await send()).status).toBe(401);
    expect((await send(await service.userToken({ role: 'student' }))).status).toBe(403);
    const wrong = path.endsWith('/verify') ? 'tutor' : 'admin';
    expect((await send(await service.userToken({ role: wrong }))).status).toBe(403);
  });

  test('internal operations take service tokens only', async () => {
    const path = `/internal/tutors/${nowhere}/quote`;
    const body = { subject: 'Maths', scheduledAt: '2030-01-01T10:00:00Z', durationMinutes: 60 };
    expect((await service.ask('POST', path, { body })).status).toBe(401);
    const token = await service.userToken({ role: 'admin' });
    expect((await service.ask('POST', path, { token, body })).status).toBe(401);
    const forged = await serviceTokens('another-secret-another-secret-another-secret').issue();
    expect((await service.ask('POST', path, { token: forged, body })).status).toBe(401);
  });

  test('anybody may search tutors and see their slots', async () => {
    const tutor = await listedTutor(service);
    expect((await service.ask('GET', '/api/tutors')).status).toBe(200);
    expect((await service.ask('GET', `/api/tutors/${tutor.id}`)).status).toBe(200);
    expect((await service.ask('GET', `/api/tutors/${tutor.id}/slots`)).status).toBe(200);
  });
});

describe('hours', () => {
  const invalid: [what: string, hours: Record<string, unknown>, path: string][] = [
    ['reversed', { weekly: [{ weekday: 1, from: '17:00', to: '09:00' }] }, 'weekly.0.to'],
    [
      'overlapping',
      {
        weekly: [
          { weekday: 1, from: '09:00', to: '17:00' },
          { weekday: 1, from: '16:00', to: '18:00' },
        ],
      },
      'weekly.1',
    ],
    ['on an eighth weekday', { weekly: [{ weekday: 8, from: '09:00', to: '17:00' }] }, 'weekly.0.weekday'],
    ['from 24:00', { weekly: [{ weekday: 1, from: '24:00', to: '24:00' }] }, 'weekly.0.from'],
    ['with seconds', { weekly: [{ weekday: 1, from: '09:00:00', to: '10:00' }] }, 'weekly.0.from'],
    ['on a date there is not', { exceptions: [{ date: '2030-02-30', available: false }] }, 'exceptions.0.date'],
    ['in the year 0', { exceptions: [{ date: '0000-01-01', available: false }] }, 'exceptions.0.date'],
    ['without from or to', { exceptions: [{ date: '2030-02-03' }] }, 'exceptions.0'],
    [
      'a day off twice',
      {
        exceptions: [
          { date: '2030-02-03', available: false },
          { date: '2030-02-03', available: false },
        ],
      },
      'exceptions.1',
    ],
    ['in no zone', { timeZone: 'Nowhere' }, 'timeZone'],
  ];
  test.each(invalid)('%s are not valid and change nothing', async (_, hours, path) => {
    const tutor = await listedTutor(service);
    const before = await as(tutor, 'GET', '/api/tutors/profile');
    const body = { timeZone: 'UTC', weekly: [], exceptions: [], ...hours };
    const reply = await as(tutor, 'PUT', '/api/tutors/availability', body);
    expect(reply.status).toBe(422);
    expect(paths(reply)).toEqual([path]);
    expect((await as(tutor, 'GET', '/api/tutors/profile')).body).toEqual(before.body);
  });
});

describe('prices', () => {
  const hourly = (amount: number, currency = 'EUR') => ({ kind: 'hourly', price: { amount, currency } });

  test('replace each other; an option that stays keeps its id', async () => {
    const tutor = await listedTutor(service);
    const bundle = { kind: 'package', price: { amount: 20_000, currency: 'EUR' }, sessions: 5, label: 'Exam month' };
    const first = await as(tutor, 'PUT', '/api/tutors/pricing', { options: [hourly(5000), bundle] });
    expect(first.status).toBe(200);
    expect(first.body.options).toMatchObject([hourly(5000), bundle]);
    const second = await as(tutor, 'PUT', '/api/tutors/pricing', { options: [bundle, hourly(6000)] });
    expect(second.body.options[0].id).toBe(first.body.options[1].id);
    expect(second.body.options[1].id).not.toBe(first.body.options[0].id);
    const read = async () => (await service.ask('GET', `/api/tutors/${tutor.id}`)).body;
    expect(await read()).toMatchObject({ pricing: second.body.options, listed: true });
    expect((await as(tutor, 'PUT', '/api/tutors/pricing', { options: [] })).body).toEqual({ options: [] });
    expect(await read()).toMatchObject({ pricing: [], listed: false });
  });

  const invalid: [what: string, options: unknown[], path: string][] = [
    ['below 100 minor units', [hourly(99)], 'options.0.price.amount'],
    ['negative', [hourly(-4500)], 'options.0.price.amount'],
    ['a fraction', [hourly(45.5)], 'options.0.price.amount'],
    ['beyond what can be charged', [hourly(100_000_000)], 'options.0.price.amount'],
    ['in no currency', [hourly(4500, 'EUX')], 'options.0.price.currency'],
    ['in two currencies', [hourly(4500), hourly(4500, 'USD')], 'options.1.price.currency'],
    ['listed twice', [hourly(4500), hourly(4500)], 'options.1'],
    ['of a package without sessions', [{ ...hourly(4500), kind: 'package' }], 'options.0.sessions'],
    ['of an hour with sessions', [{ ...hourly(4500), sessions: 2 }], 'options.0.sessions'],
    ['of a kind there is not', [{ ...hourly(4500), kind: 'monthly' }], 'options.0.kind'],
  ];
  test.each(invalid)('%s are not valid', async (_, options, path) => {
    const tutor = await newTutor(service);
    const reply = await as(tutor, 'PUT', '/api/tutors/pricing', { options });
    expect(reply.status).toBe(422);
    expect(paths(reply)).toEqual([path]);
  });
});

describe('certifications', () => {
  const body = {
    name: 'C2 Proficiency',
    issuer: 'Institute',
    issuedOn: '2020-05-05',
    credentialUrl: 'https://example.com/c/1',
  };

  test.each([
    'http://example.com/c',
    'https://user:pass@example.com/c',
    'https://example.com/\u0000',
    'https://example.com/\ud800',
    'https://example.com/\u001b[31m',
    'https://example.com/a\r\nb',
    'https://example.com/"><script>',
    'example.com',
  ])('%j is no link to one', async (credentialUrl) => {
    const reply = await as(await listedTutor(service), 'POST', '/api/tutors/certifications', {
      ...body,
      credentialUrl,
    });
    expect(reply).toMatchObject({ status: 422, body: { errors: [{ path: 'credentialUrl' }] } });
  });

  test('come and go with their tutor only', async () => {
    const tutor = await listedTutor(service);
    const added = await as(tutor, 'POST', '/api/tutors/certifications', body);
    expect(added.status).toBe(201);
    expect(added.body).toEqual({ ...body, id: added.body.id, expiresOn: null });
    expect((await service.ask('GET', `/api/tutors/${tutor.id}`)).body.certifications).toEqual([added.body]);

    const least = await as(tutor, 'POST', '/api/tutors/certifications', { name: 'CPR', issuer: 'Red Cross' });
    const nothing = { issuedOn: null, expiresOn: null, credentialUrl: null };
    expect(least.body).toMatchObject({ name: 'CPR', issuer: 'Red Cross', ...nothing });
    expect((await as(tutor, 'DELETE', `/api/tutors/certifications/${least.body.id}`)).status).toBe(204);

    const path = `/api/tutors/certifications/${added.body.id}`;
    expect((await as(await listedTutor(service), 'DELETE', path)).status).toBe(404);
    const key = uuidv7();
    expect((await as(tutor, 'DELETE', path, undefined, key)).status).toBe(204);
    expect((await as(tutor, 'DELETE', path, undefined, key)).status).toBe(204);
    expect((await as(tutor, 'DELETE', path)).status).toBe(404);
    expect((await as(tutor, 'DELETE', '/api/tutors/certifications/x')).status).toBe(404);
    expect((await service.ask('GET', `/api/tutors/${tutor.id}`)).body.certifications).toEqual([]);
  });

  test.each([
    ['a link that is no https', { credentialUrl: 'javascript:alert(1)' }, 'credentialUrl'],
    ['an expiry before its issue', { expiresOn: '2020-05-04' }, 'expiresOn'],
    ['no issuer', { issuer: '' }, 'issuer'],
  ])('one with %s is not valid', async (_, patch, path) => {
    const reply = await as(await newTutor(service), 'POST', '/api/tutors/certifications', { ...body, ...patch });
    expect(reply.status).toBe(422);
    expect(paths(reply)).toEqual([path]);
  });

  test('are fifty at most, also when they come at once', async () => {
    const tutor = await newTutor(service);
    const replies = await Promise.all(
      Array.from({ length: 53 }, () => as(tutor, 'POST', '/api/tutors/certifications', body)),
    );
    expect(replies.filter(({ status }) => status === 201)).toHaveLength(50);
    expect(replies.filter(({ body: { code } }) => code === 'conflict')).toHaveLength(3);
  });
});

test('an admin verifies a tutor once, and the event says who', async () => {
  const tutor = await listedTutor(service);
  const admin = uuidv7();
  const token = await service.userToken({ id: admin, role: 'admin' });
  const verify = (id: string) => service.ask('POST', `/api/tutors/${id}/verify`, { token });
  const first = await verify(tutor.id);
  expect([first.status, first.body.verified]).toEqual([200, true]);
  expect((await verify(tutor.id)).body).toEqual(first.body);
  expect((await service.ask('GET', `/api/tutors/${tutor.id}`)).body).toEqual(first.body);
  const { db } = service.database;
  const told = (await db.select().from(events).where(eq(events.streamId, tutor.id))).filter(
    ({ type }) => type === 'TutorVerified',
  );
  expect(told.map(({ data }) => data)).toEqual([{ tutorId: tutor.id, verifiedBy: admin }]);
  expect((await verify((await newTutor(service)).id)).status).toBe(404);
  expect((await verify(nowhere)).status).toBe(404);
});

describe('search', () => {
  /** Tutors of one test share a subject that no other test uses. */
  async function search(subject: string, query: Record<string, string | number> = {}): Promise<Reply> {
    const parameters = new URLSearchParams({ subject });
    for (const [name, value] of Object.entries(query)) parameters.set(name, String(value));
    return service.ask('GET', `/api/tutors?${parameters}`);
  }
  const names = ({ body }: Reply): string[] =>
    body.items.map(({ displayName }: { displayName: string }) => displayName);

  async function tutors(subject: string, all: Record<string, TutorFacts>): Promise<Record<string, TestTutor>> {
    const made: Record<string, TestTutor> = {};
    for (const [displayName, facts] of Object.entries(all)) {
      const profile = { subjects: [subject], ...facts.profile };
      made[displayName] = await listedTutor(service, { weekly: ALWAYS, hourly: 4500, ...facts, displayName, profile });
    }
    return made;
  }
  const rate = (tutor: TestTutor | undefined, average: number, count: number) =>
    service.database.db
      .update(tutorRatings)
      .set({ average, count })
      .where(eq(tutorRatings.tutorId, tutor?.id ?? nowhere));

  test('shows a tutor as they are after each change of anything of theirs, however often they were found before', async () => {
    const { fresh } = await tutors('Freshness', { fresh: { profile: { subjects: ['Freshness'] } } });
    if (!fresh) throw new Error('nobody was made');
    const token = await service.userToken({ role: 'admin' });
    const certificate = { name: 'CPR', issuer: 'Red Cross' };
    const option = { kind: 'hourly', price: { amount: 5100, currency: 'EUR' } };
    const school = { institution: 'University', degree: 'MSc', startYear: 2005, endYear: 2009 };
    let certification = '';
    const changes: (() => Promise<unknown>)[] = [
      () => as(fresh, 'PATCH', '/api/tutors/profile', { headline: 'Another' }),
      () => as(fresh, 'PATCH', '/api/tutors/profile', { subjects: ['Freshness', 'Poetry'] }),
      () => as(fresh, 'PATCH', '/api/tutors/profile', { education: [school] }),
      () => as(fresh, 'PATCH', '/api/tutors/profile', { education: [] }),
      () => as(fresh, 'PUT', '/api/tutors/pricing', { options: [option, { ...option, label: 'Evening' }] }),
      () => as(fresh, 'PUT', '/api/tutors/pricing', { options: [option] }),
      async () => {
        certification = (await as(fresh, 'POST', '/api/tutors/certifications', certificate)).body.id;
      },
      () => as(fresh, 'DELETE', `/api/tutors/certifications/${certification}`),
      () => service.ask('POST', `/api/tutors/${fresh.id}/verify`, { token }),
      () => as(fresh, 'PUT', '/api/tutors/availability', { timeZone: 'Asia/Tokyo', weekly: ALWAYS, exceptions: [] }),
      () => rate(fresh, 4.5, 2),
    ];
    let [shown] = (await search('Freshness')).body.items;
    for (const [position, change] of changes.entries()) {
      await change();
      const [found] = (await search('Freshness')).body.items;
      const { body: alone } = await service.ask('GET', `/api/tutors/${fresh.id}`);
      expect({ position, found }).toEqual({ position, found: alone });
      expect({ position, found }).not.toEqual({ position, found: shown });
      shown = found;
    }
  });

  test('finds only tutors with a completed profile, hours and an hourly price', async () => {
    const made = await tutors('Listing', {
      whole: {},
      'no hours': { weekly: undefined },
      'no price': { hourly: undefined },
      'only days off': { weekly: [], exceptions: [{ date: '2030-01-01', available: false }] },
      'one dated day': { weekly: [], exceptions: [{ date: '2030-01-01', from: '10:00', to: '11:00' }] },
      'only a package': {},
    });
    const bundle = { kind: 'package', price: { amount: 9000, currency: 'EUR' }, sessions: 2 };
    const odd = made['only a package'];
    if (odd) await as(odd, 'PUT', '/api/tutors/pricing', { options: [bundle] });
    const empty = await newTutor(service, { displayName: 'empty' });
    await as(empty, 'PATCH', '/api/tutors/profile', { subjects: ['Listing'] });
    expect(names(await search('Listing')).toSorted()).toEqual(['one dated day', 'whole']);
    const { whole } = made;
    if (whole) await as(whole, 'PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly: [], exceptions: [] });
    expect(names(await search('listing'))).toEqual(['one dated day']);
  });

  test('filters by price, rating and language, all at once', async () => {
    const made = await tutors('Filtering', {
      cheap: { hourly: 2000, profile: { languages: ['English', 'Français'] } },
      dear: { hourly: 8000, profile: { languages: ['English'] } },
      rated: { hourly: 4000, profile: { languages: ['Deutsch'] } },
    });
    await rate(made.rated, 4.25, 8);
    await rate(made.dear, 5, 1);
    expect(names(await search('Filtering', { maxPrice: 4000 })).toSorted()).toEqual(['cheap', 'rated']);
    expect(names(await search('Filtering', { maxPrice: 3999 }))).toEqual(['cheap']);
    expect(names(await search('Filtering', { minRating: 4.25 }))).toEqual(['dear', 'rated']);
    expect(names(await search('Filtering', { minRating: 4.3 }))).toEqual(['dear']);
    expect(names(await search('Filtering', { language: 'FRANÇAIS' }))).toEqual(['cheap']);
    expect(names(await search('Filtering', { language: 'english', maxPrice: 5000 }))).toEqual(['cheap']);
    expect(names(await search('Filtering', { minRating: 4, maxPrice: 5000, language: 'english' }))).toEqual([]);
    const [item] = (await search('Filtering', { minRating: 4, maxPrice: 5000 })).body.items;
    expect(item.rating).toEqual({ average: 4.25, count: 8 });
  });

  test('finds words in name, headline, biography and subjects, by their beginnings, whatever their accents', async () => {
    await tutors('Wordy', {
      'Zoë Łukasz': { profile: { subjects: ['Wordy', 'C++ für Anfänger'], headline: 'Objects first' } },
      'Bob Plain': { profile: { subjects: ['Wordy'], headline: 'Cooking', biography: 'Naïve Bayes & more.' } },
    });
    const asked = async (q: string) => names(await search('Wordy', { q })).toSorted();
    expect(await asked('zoe')).toEqual(['Zoë Łukasz']);
    expect(await asked('C++')).toEqual(['Zoë Łukasz']);
    expect(await asked('anfang')).toEqual(['Zoë Łukasz']);
    expect(await asked('NAIV bay')).toEqual(['Bob Plain']);
    expect(await asked('naive objects')).toEqual([]);
    expect(await asked('')).toEqual(['Bob Plain', 'Zoë Łukasz']);
    for (const q of ['?!', "'; drop table slots; --", '%', "x':* | 'y", '\\', 'zzz & | !'])
      expect(await asked(q)).toEqual([]);
  });

  test('a changed profile is found by its new words only', async () => {
    const made = await tutors('Changing', { before: {} });
    const tutor = made.before;
    if (tutor) await as(tutor, 'PATCH', '/api/tutors/profile', { headline: 'Astronomy', displayName: 'after' });
    expect(names(await search('Changing', { q: 'astro' }))).toEqual(['after']);
    expect(names(await search('Changing', { q: 'before' }))).toEqual([]);
    expect(names(await search('Changing', { q: 'calculus' }))).toEqual([]);
  });

  test.each([
    ['rating', ['best', 'well known', 'little known', 'new', 'unrated']],
    ['price_asc', ['new', 'unrated', 'best', 'well known', 'little known']],
    ['price_desc', ['little known', 'well known', 'best', 'unrated', 'new']],
    ['newest', ['little known', 'well known', 'best', 'new', 'unrated']],
  ])('sorts by %s', async (sort, wanted) => {
    const subject = `Sorting ${sort}`;
    const made = await tutors(subject, {
      unrated: { hourly: 1000 },
      new: { hourly: sort === 'price_asc' || sort === 'price_desc' ? 500 : 1000 },
      best: { hourly: 2000 },
      'well known': { hourly: 3000 },
      'little known': { hourly: 4000 },
    });
    await rate(made.best, 4.9, 3);
    await rate(made['well known'], 4.5, 90);
    await rate(made['little known'], 4.5, 2);
    await rate(made.new, 1.5, 1);
    expect(names(await search(subject, { sort }))).toEqual(wanted);
  });

  test.each(['rating', 'price_asc', 'price_desc', 'newest'])(
    'pages by %s show everybody once, though most are equal',
    async (sort) => {
      const subject = `Paging ${sort}`;
      const facts = Array.from({ length: 11 }, (_, index): [string, TutorFacts] => [
        `tutor ${index}`,
        { hourly: index < 9 ? 3000 : 5000 },
      ]);
      const made = await tutors(subject, Object.fromEntries(facts));
      for (const index of [1, 4, 7]) await rate(made[`tutor ${index}`], 4.33, 3);
      const whole = names(await search(subject, { sort, limit: 100 }));
      const paged: string[] = [];
      let cursor: string | null = '';
      do {
        const page: Reply = await search(subject, { sort, limit: 3, ...(cursor && { cursor }) });
        expect(page.status).toBe(200);
        paged.push(...names(page));
        cursor = page.body.nextCursor;
      } while (cursor !== null);
      expect(paged).toEqual(whole);
      expect(new Set(paged).size).toBe(11);
    },
  );

  test('a page that holds all there is has no next', async () => {
    await tutors('Exactly', { one: {}, two: {} });
    expect((await search('Exactly', { limit: 2 })).body.nextCursor).toBeNull();
    expect((await search('Exactly', { limit: 1 })).body.nextCursor).toEqual(expect.any(String));
  });

  test.each([
    ['limit=0', 'query.limit'],
    ['limit=101', 'query.limit'],
    ['minRating=6', 'query.minRating'],
    ['maxPrice=-1', 'query.maxPrice'],
    ['maxPrice=1.5', 'query.maxPrice'],
    ['maxPrice=', 'query.maxPrice'],
    ['minRating=NaN', 'query.minRating'],
    ['maxPrice=1&maxPrice=2', 'query.maxPrice'],
    ['sort=name', 'query.sort'],
    ['cursor=abc', 'query.cursor'],
    ['q=%00', 'query.q'],
    ['page=2', 'query.page'],
  ])('%s is not valid', async (query, path) => {
    const reply = await service.ask('GET', `/api/tutors?${query}`);
    expect(reply.status).toBe(422);
    expect(paths(reply)).toEqual([path]);
  });

  test('a cursor is of one sort only', async () => {
    await tutors('Cursor', { one: {}, two: {} });
    const { body } = await search('Cursor', { limit: 1, sort: 'newest' });
    expect((await search('Cursor', { limit: 1, sort: 'price_asc', cursor: body.nextCursor })).status).toBe(422);
  });

  test('what is not a tutor is not found', async () => {
    expect((await service.ask('GET', `/api/tutors/${nowhere}`)).status).toBe(404);
    expect((await service.ask('GET', '/api/tutors/no-id')).status).toBe(404);
    expect((await service.ask('GET', `/api/tutors/${nowhere}/slots`)).status).toBe(404);
  });
});

/** A Monday at 00:00 UTC, at least ten days from now. */
const monday = Math.ceil((Date.now() + 10 * DAY - 4 * DAY) / (7 * DAY)) * 7 * DAY + 4 * DAY;
const on = (minutes: number) => new Date(monday + minutes * MINUTE).toISOString();
const utcHours: TutorFacts = {
  hourly: 4500,
  profile: { timeZone: 'UTC' },
  weekly: [{ weekday: 1, from: '09:00', to: '12:00' }],
};

function slotsOf(tutor: TestTutor, query: Record<string, string | number> = {}): Promise<Reply> {
  const parameters = new URLSearchParams({ from: on(0), to: on(24 * 60) });
  for (const [name, value] of Object.entries(query)) parameters.set(name, String(value));
  return service.ask('GET', `/api/tutors/${tutor.id}/slots?${parameters}`);
}
const starts = ({ body }: Reply): string[] => body.items.map(({ start }: { start: string }) => start.slice(11, 16));

describe('slots', () => {
  const hold = (tutor: TestTutor, minute: number, expiresAt = new Date(Date.now() + HOUR).toISOString()) => {
    const bookingId = uuidv7();
    const body = { tutorId: tutor.id, start: on(minute), durationMinutes: 30, expiresAt };
    return client.holdSlot(bookingId, body, `booking:${bookingId}/hold-slot`);
  };

  test('start every quarter hour within the hours, with their ends', async () => {
    const tutor = await listedTutor(service, utcHours);
    const reply = await slotsOf(tutor, { durationMinutes: 120 });
    expect(reply.body).toEqual({
      items: [0, 15, 30, 45, 60].map((minute) => ({ start: on(540 + minute), end: on(660 + minute) })),
      nextCursor: null,
    });
    expect(starts(await slotsOf(tutor))).toHaveLength(9);
  });

  test('leave out what is booked or held, but not what was held too long ago', async () => {
    const tutor = await listedTutor(service, utcHours);
    const booked = await hold(tutor, 9 * 60);
    await client.blockSlot(booked.bookingId, `booking:${booked.bookingId}/block-slot`);
    await hold(tutor, 10 * 60);
    await hold(tutor, 11 * 60, new Date(Date.now() - HOUR).toISOString());
    expect(starts(await slotsOf(tutor))).toEqual(['10:30', '10:45', '11:00']);
    await client.releaseSlot(booked.bookingId, `booking:${booked.bookingId}/hold-slot/undo`);
    expect(starts(await slotsOf(tutor))).toEqual(['09:00', '10:30', '10:45', '11:00']);
  });

  test('are pages of one list', async () => {
    const tutor = await listedTutor(service, utcHours);
    const whole = starts(await slotsOf(tutor, { durationMinutes: 30 }));
    const paged: string[] = [];
    let cursor: string | null = '';
    do {
      const page: Reply = await slotsOf(tutor, { durationMinutes: 30, limit: 4, ...(cursor && { cursor }) });
      paged.push(...starts(page));
      cursor = page.body.nextCursor;
    } while (cursor !== null);
    expect(paged).toEqual(whole);
    expect(whole).toHaveLength(11);
  });

  test('are of the coming week if not said otherwise, and never in the past or far ahead', async () => {
    const tutor = await listedTutor(service, { hourly: 4500, weekly: ALWAYS });
    const { body } = await service.ask('GET', `/api/tutors/${tutor.id}/slots`);
    expect(body.items).toHaveLength(100);
    expect(Date.parse(body.items[0].start)).toBeGreaterThanOrEqual(Date.now() - MINUTE);
    expect(Date.parse(body.items[0].start)).toBeLessThan(Date.now() + 16 * MINUTE);
    const past = { from: '2020-01-01T00:00:00Z', to: '2020-01-02T00:00:00Z' };
    const far = { from: '2999-01-01T00:00:00Z', to: '2999-01-02T00:00:00Z' };
    expect((await slotsOf(tutor, past)).body).toEqual({ items: [], nextCursor: null });
    expect((await slotsOf(tutor, far)).body).toEqual({ items: [], nextCursor: null });
  });

  test('follow the zone of the tutor and its daylight saving', async () => {
    const hours = {
      hourly: 4500,
      profile: { timeZone: 'America/New_York' },
      weekly: ALWAYS.map((day) => ({ ...day, from: '09:00', to: '10:00' })),
    };
    const tutor = await listedTutor(service, hours);
    const inNewYork = new Intl.DateTimeFormat('sv-SE', { timeZone: 'America/New_York', timeStyle: 'short' });
    for (const days of [0, 60, 120, 180, 240, 300]) {
      const query = { from: on(days * 1_440), to: on((days + 1) * 1_440) };
      const [slot] = (await slotsOf(tutor, query)).body.items;
      expect(inNewYork.format(new Date(slot.start))).toBe('09:00');
    }
  });

  test.each([
    ['a window of more than 31 days', { from: '2030-01-01T00:00:00Z', to: '2030-02-02T00:00:00Z' }, 'query.to'],
    ['a reversed window', { from: '2030-01-02T00:00:00Z', to: '2030-01-01T00:00:00Z' }, 'query.to'],
    ['a time without offset', { from: '2030-01-02T00:00:00' }, 'query.from'],
    ['a length off the steps of 15', { durationMinutes: 50 }, 'query.durationMinutes'],
    ['a length above 240', { durationMinutes: 255 }, 'query.durationMinutes'],
    ['a cursor of another list', { cursor: 'abc' }, 'query.cursor'],
  ])('%s is not valid', async (_, query, path) => {
    const reply = await slotsOf({ id: nowhere, token: '' }, query);
    expect(reply.status).toBe(422);
    expect(paths(reply)).toEqual([path]);
  });

  test('an offset whose + the client did not encode is understood', async () => {
    const tutor = await listedTutor(service, utcHours);
    const from = on(10 * 60).replace('Z', '+00:00');
    const path = `/api/tutors/${tutor.id}/slots?durationMinutes=120&from=${from}&to=${on(24 * 60)}`;
    expect(starts(await service.ask('GET', path))).toEqual(['10:00']);
  });

  test('a cursor from nowhere shows nothing instead of failing', async () => {
    const tutor = await listedTutor(service, utcHours);
    const cursor = Buffer.from(JSON.stringify([Number.MAX_SAFE_INTEGER])).toString('base64url');
    expect((await slotsOf(tutor, { cursor })).body).toEqual({ items: [], nextCursor: null });
  });
});

describe('a quote', () => {
  const session = { subject: 'mathematics', scheduledAt: on(9 * 60), durationMinutes: 50 + 40 };

  test('is what the saga needs: name, zone, price and times', async () => {
    const tutor = await listedTutor(service, { ...utcHours, hourly: 4501, displayName: 'Quinn' });
    expect(await client.quoteSession(tutor.id, session)).toEqual({
      tutorId: tutor.id,
      displayName: 'Quinn',
      timeZone: 'UTC',
      instantBooking: true,
      subject: 'Mathematics',
      price: { amount: 6752, currency: 'EUR' },
      startsAt: on(9 * 60),
      endsAt: on(9 * 60 + 90),
    });
  });

  test('takes the hourly option that was chosen', async () => {
    const tutor = await listedTutor(service, utcHours);
    const options = [4000, 6000].map((amount) => ({ kind: 'hourly', price: { amount, currency: 'EUR' } }));
    const { body } = await as(tutor, 'PUT', '/api/tutors/pricing', { options });
    const chosen = { ...session, durationMinutes: 60, pricingOptionId: body.options[1].id };
    expect((await client.quoteSession(tutor.id, chosen)).price.amount).toBe(6000);
  });

  async function quote(facts: TutorFacts, patch: Record<string, unknown> = {}): Promise<Reply> {
    const tutor = await listedTutor(service, facts);
    return service.internal('POST', `/internal/tutors/${tutor.id}/quote`, { body: { ...session, ...patch } });
  }

  test.each<[string, TutorFacts, Record<string, unknown>, string, string[]]>([
    ['a tutor who is not listed', { ...utcHours, hourly: undefined }, {}, 'not_found', []],
    ['another subject', utcHours, { subject: 'Cooking' }, 'validation_failed', ['subject']],
    ['an option there is not', utcHours, { pricingOptionId: nowhere }, 'validation_failed', ['pricingOptionId']],
    [
      'a price below 100',
      { ...utcHours, hourly: 100 },
      { durationMinutes: 45 },
      'validation_failed',
      ['durationMinutes'],
    ],
    ['a start off the quarter hour', utcHours, { scheduledAt: on(9 * 60 + 5) }, 'validation_failed', ['scheduledAt']],
    ['a start outside the hours', utcHours, { scheduledAt: on(8 * 60 + 45) }, 'slot_unavailable', []],
    ['an end outside the hours', utcHours, { scheduledAt: on(11 * 60) }, 'slot_unavailable', []],
    ['the past', utcHours, { scheduledAt: '2020-01-06T09:00:00Z' }, 'slot_unavailable', []],
    ['more than 365 days ahead', utcHours, { scheduledAt: on(9 * 60 + 371 * 1_440) }, 'slot_unavailable', []],
  ])('for %s is refused', async (_, facts, patch, code, wrong) => {
    const reply = await quote(facts, patch);
    expect(reply.body.code).toBe(code);
    expect(reply.body.errors ? paths(reply) : []).toEqual(wrong);
  });

  test('for nobody is refused', async () => {
    await expect(client.quoteSession(nowhere, session)).rejects.toMatchObject({ code: 'not_found' });
  });
});

test('the typed client speaks every internal operation', async () => {
  const id = uuidv7();
  const user = `user:${id}`;
  const person = { userId: id, displayName: 'Cleo', timeZone: 'UTC' };
  expect(await client.createTutor(person, `${user}/tutor-profile`)).toEqual({ id });
  expect(await client.removeTutor(id, `${user}/tutor-profile/undo`)).toBeUndefined();

  const tutor = await listedTutor(service, utcHours);
  const bookingId = uuidv7();
  const saga = `booking:${bookingId}`;
  const expiresAt = new Date(Date.now() + HOUR).toISOString();
  const body = { tutorId: tutor.id, start: on(9 * 60), durationMinutes: 60, expiresAt };
  expect(await client.holdSlot(bookingId, body, `${saga}/hold-slot`)).toMatchObject({ state: 'held', expiresAt });
  const later = new Date(Date.now() + DAY).toISOString();
  const extended = await client.extendHold(bookingId, { expiresAt: later }, `${saga}/extend-1`);
  expect(extended.expiresAt).toBe(later);
  expect((await client.blockSlot(bookingId, `${saga}/block-slot`)).state).toBe('booked');
  const moved = await client.moveSlot(bookingId, { start: on(10 * 60) }, `${saga}/move-1`);
  expect(moved).toMatchObject({ state: 'booked', start: on(10 * 60), end: on(11 * 60) });
  expect(await client.releaseSlot(bookingId, `${saga}/hold-slot/undo`)).toBeUndefined();
  await expect(client.blockSlot(bookingId, `${saga}/block-slot-2`)).rejects.toMatchObject({ code: 'slot_unavailable' });
});

test('replies are what the contract says', async () => {
  const tutor = await listedTutor(service, utcHours);
  const certification = { name: 'C2', issuer: 'Institute', issuedOn: '2020-05-05' };
  const added = await as(tutor, 'POST', '/api/tutors/certifications', certification);
  tutoringContract.addCertification.replies[201].parse(added.body);
  const bundle = { kind: 'package', price: { amount: 9000, currency: 'EUR' }, sessions: 2, label: 'Both' };
  const options = [{ kind: 'hourly', price: { amount: 4500, currency: 'EUR' } }, bundle];
  tutoringContract.setPricing.replies[200].parse((await as(tutor, 'PUT', '/api/tutors/pricing', { options })).body);
  const education = [{ institution: 'TU Berlin', degree: 'MSc', endYear: 2003 }];
  const changed = await as(tutor, 'PATCH', '/api/tutors/profile', { education });
  expect(tutoringContract.updateProfile.replies[200].parse(changed.body).education).toEqual([
    { ...education[0], startYear: null },
  ]);
  tutoringContract.getTutor.replies[200].parse((await service.ask('GET', `/api/tutors/${tutor.id}`)).body);
  tutoringContract.getOwnTutor.replies[200].parse((await as(tutor, 'GET', '/api/tutors/profile')).body);
  tutoringContract.listTutorSlots.replies[200].parse((await slotsOf(tutor)).body);
  const found = tutoringContract.listTutors.replies[200].parse(
    (await service.ask('GET', '/api/tutors?limit=100')).body,
  );
  expect(found.items.length).toBeGreaterThan(0);
});

test('internal writes need a key', async () => {
  for (const path of [`/internal/slots/${nowhere}/block`, `/internal/tutors/${nowhere}/remove`])
    expect((await service.internal('POST', path)).body.code).toBe('idempotency_key_required');
});

test('the OpenAPI document lists the public operations and no internal one', async () => {
  const { body } = await service.ask('GET', '/openapi.json');
  const published = Object.values(tutoringContract).filter(({ path }) => path.startsWith('/api/'));
  const listed = Object.entries<Record<string, unknown>>(body.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method} ${path}`),
  );
  expect(listed.toSorted()).toEqual(published.map(({ method, path }) => `${method} ${path}`).toSorted());
});

test.each([
  ['availability', 'PUT'],
  ['pricing', 'PUT'],
  ['certifications', 'POST'],
])('/api/tutors/%s is not taken for a tutor by that name', async (name, allowed) => {
  for (const method of ['GET', 'DELETE']) {
    const reply = await service.ask(method, `/api/tutors/${name}`);
    expect(reply).toMatchObject({ status: 405, headers: { allow: allowed }, body: { code: 'method_not_allowed' } });
  }
});
