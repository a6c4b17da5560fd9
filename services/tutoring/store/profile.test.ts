import { eq } from 'drizzle-orm';
import { tutorProfiles } from '../../../db/schema/tutoring';
import { uuidv7 } from '../../../platform/ids';
import { startTestService, type TestService } from '../../../tests/support/service';
import { codes, slotSteps } from '../../../tests/support/slots';
import { ALWAYS, listedTutor, newTutor } from '../../../tests/support/tutors';
import { tutoringService } from '../routes';

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

const { eventsOf } = slotSteps(() => service);

describe('sign-up', () => {
  const register = (id: string, key = `user:${id}/tutor-profile`) =>
    service.internal('POST', '/internal/tutors', {
      key,
      body: { userId: id, displayName: 'Tina Tutor', timeZone: 'Europe/Berlin' },
    });
  const remove = (id: string) =>
    service.internal('POST', `/internal/tutors/${id}/remove`, { key: `user:${id}/tutor-profile/undo` });
  const profiles = (id: string) => service.database.db.select().from(tutorProfiles).where(eq(tutorProfiles.id, id));

  test('makes one empty profile, however often it is asked', async () => {
    const id = uuidv7();
    const replies = await Promise.all([register(id), register(id), register(id, `user:${id}/again`)]);
    expect(replies.map(({ status, body }) => [status, body])).toEqual(Array.from({ length: 3 }, () => [201, { id }]));
    expect(await profiles(id)).toHaveLength(1);
    expect(await eventsOf({ id, token: '' })).toEqual(['TutorRegistered']);
  });

  test('is undone completely, and what arrives after its undo is refused', async () => {
    const id = uuidv7();
    await register(id);
    expect(codes(await Promise.all([remove(id), remove(id)]))).toEqual([204, 204]);
    expect(await profiles(id)).toEqual([]);
    expect(await eventsOf({ id, token: '' })).toEqual(['TutorRegistered', 'TutorRemoved']);

    const never = uuidv7();
    expect((await remove(never)).status).toBe(204);
    expect(codes([await register(never)])).toEqual(['undone']);
    expect(await profiles(never)).toEqual([]);
  });

  test('does not take away a profile that its tutor completed', async () => {
    const tutor = await listedTutor(service);
    expect((await remove(tutor.id)).status).toBe(204);
    expect((await service.ask('GET', `/api/tutors/${tutor.id}`)).status).toBe(200);
  });
});

describe('changes of one profile at once', () => {
  test('of two that complete it one wins', async () => {
    const tutor = await newTutor(service);
    const body = {
      headline: 'Hello',
      biography: 'Me',
      subjects: ['Maths'],
      languages: ['en'],
      timeZone: 'UTC',
      instantBooking: false,
    };
    const replies = await Promise.all(
      Array.from({ length: 5 }, () => service.ask('POST', '/api/tutors/profile', { token: tutor.token, body })),
    );
    expect(codes(replies)).toEqual([201, ...Array.from({ length: 4 }, () => 'profile_exists')]);
    expect(await eventsOf(tutor)).toEqual(['TutorRegistered', 'TutorProfileCreated']);
  });

  test('hours, prices and fields all arrive, one event each', async () => {
    const tutor = await listedTutor(service);
    const before = (await eventsOf(tutor)).length;
    const price = (amount: number) => ({ kind: 'hourly', price: { amount, currency: 'EUR' } });
    const put = (method: string, path: string, body: unknown) =>
      service.ask(method, path, { token: tutor.token, body });
    const replies = await Promise.all(
      [1, 2, 3, 4].flatMap((round) => [
        put('PUT', '/api/tutors/pricing', { options: [price(1000 + round)] }),
        put('PUT', '/api/tutors/availability', { timeZone: 'UTC', weekly: ALWAYS.slice(0, round), exceptions: [] }),
        put('PATCH', '/api/tutors/profile', { subjects: ['Maths', `Level ${round}`] }),
      ]),
    );
    expect(codes(replies)).toEqual(Array.from({ length: 12 }, () => 200));
    const types = (await eventsOf(tutor)).slice(before);
    expect(types.toSorted()).toEqual(
      ['TutorAvailabilityUpdated', 'TutorPricingChanged', 'TutorProfileUpdated'].flatMap((type) =>
        Array.from({ length: 4 }, () => type),
      ),
    );
  });
});
