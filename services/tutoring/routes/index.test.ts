import { serviceTokens } from '../../../platform/auth';
import { startTestService, type TestService } from '../../../tests/support/service';
import { asTutor, listedTutor, nowhere, on, PROFILE, utcHours } from '../../../tests/support/tutors';
import { tutoringContract as contract } from '../contract';
import { tutoringService } from '.';

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

const as = asTutor(() => service);

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

test('replies are what the contract says', async () => {
  const tutor = await listedTutor(service, utcHours);
  const certification = { name: 'C2', issuer: 'Institute', issuedOn: '2020-05-05' };
  const added = await as(tutor, 'POST', '/api/tutors/certifications', certification);
  contract.addCertification.replies[201].parse(added.body);
  const bundle = { kind: 'package', price: { amount: 9000, currency: 'EUR' }, sessions: 2, label: 'Both' };
  const options = [{ kind: 'hourly', price: { amount: 4500, currency: 'EUR' } }, bundle];
  contract.setPricing.replies[200].parse((await as(tutor, 'PUT', '/api/tutors/pricing', { options })).body);
  const education = [{ institution: 'TU Berlin', degree: 'MSc', endYear: 2003 }];
  const changed = await as(tutor, 'PATCH', '/api/tutors/profile', { education });
  expect(contract.updateProfile.replies[200].parse(changed.body).education).toEqual([
    { ...education[0], startYear: null },
  ]);
  contract.getTutor.replies[200].parse((await service.ask('GET', `/api/tutors/${tutor.id}`)).body);
  contract.getOwnTutor.replies[200].parse((await as(tutor, 'GET', '/api/tutors/profile')).body);
  contract.listTutorSlots.replies[200].parse(
    (await service.ask('GET', `/api/tutors/${tutor.id}/slots?from=${on(0)}&to=${on(24 * 60)}`)).body,
  );
  const found = contract.listTutors.replies[200].parse((await service.ask('GET', '/api/tutors?limit=100')).body);
  expect(found.items.length).toBeGreaterThan(0);
});

test('the OpenAPI document lists the public operations and no internal one', async () => {
  const { body } = await service.ask('GET', '/openapi.json');
  const published = Object.values(contract).filter(({ path }) => path.startsWith('/api/'));
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
