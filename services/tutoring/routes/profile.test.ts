import { eq } from 'drizzle-orm';
import { events } from '../../../db/schema/tutoring';
import { uuidv7 } from '../../../platform/ids';
import { startTestService, type TestService } from '../../../tests/support/service';
import { asTutor, listedTutor, newTutor, nowhere, PROFILE, paths } from '../../../tests/support/tutors';
import { ProfilePatch } from '../contract/profile';
import { PROFILE_FIELDS } from '../events';
import { tutoringService } from '.';

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

const as = asTutor(() => service);

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
    const told = await service.database.sql<{ fields: string[] }[]>`
      select data -> 'fields' as fields from events
      where stream_id = ${tutor.id} and type = 'TutorProfileUpdated' order by version`;
    const changes = [['headline', 'subjects', 'displayName', 'education'], ['education']];
    expect(told.map(({ fields }) => fields)).toEqual(changes);
  });

  test('consists of what an event can name', () => {
    expect([...PROFILE_FIELDS].toSorted()).toEqual(Object.keys(ProfilePatch.shape).toSorted());
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

test('an admin verifies a tutor once; the event says who, and the act why', async () => {
  const tutor = await listedTutor(service);
  const admin = uuidv7();
  const token = await service.userToken({ id: admin, role: 'admin' });
  const reason = 'Showed their diploma';
  const verify = (id: string, body: object = { reason }) =>
    service.ask('POST', `/api/tutors/${id}/verify`, { token, body });
  expect((await verify(tutor.id, { reason: 'because' })).status).toBe(422);
  const first = await verify(tutor.id);
  expect([first.status, first.body.verified]).toEqual([200, true]);
  expect((await verify(tutor.id)).body).toEqual(first.body);
  expect((await service.ask('GET', `/api/tutors/${tutor.id}`)).body).toEqual(first.body);
  const { db } = service.database;
  const told = (await db.select().from(events).where(eq(events.streamId, tutor.id))).filter(
    ({ type }) => type === 'TutorVerified',
  );
  expect(told.map(({ data }) => data)).toEqual([{ tutorId: tutor.id, participantIds: [tutor.id], verifiedBy: admin }]);
  const acts = await service.ask('GET', `/api/tutoring-acts?subjectId=${tutor.id}`, { token });
  expect(acts.body.items).toMatchObject([
    { adminId: admin, act: 'tutor_verified', subject: { type: 'user', id: tutor.id }, reason },
  ]);
  expect((await verify((await newTutor(service)).id)).status).toBe(404);
  expect((await verify(nowhere)).status).toBe(404);
});
