import { uuidv7 } from '../../../platform/ids';
import { startTestBus, type TestBus } from '../../../tests/support/bus';
import { until } from '../../../tests/support/gateway';
import { startTestService, type TestService } from '../../../tests/support/service';
import { listedTutor } from '../../../tests/support/tutors';
import { tutoringService } from '../routes';

jest.setTimeout(30_000);

let bus: TestBus;
let service: TestService;
beforeAll(async () => {
  bus = await startTestBus();
  service = await startTestService(tutoringService, { bus });
});
afterAll(async () => {
  bus.stopWaiting();
  await service.close();
  await bus.close();
});

const review = (tutorId: string, reviewId: string, rating: unknown, key = `review:${reviewId}/publish`) =>
  service.internal('POST', `/internal/tutors/${tutorId}/reviews/${reviewId}`, { key, body: { rating } });
const rating = async (tutorId: string) => (await service.ask('GET', `/api/tutors/${tutorId}`)).body.rating;
/** What the tutor's rating is once all that was told is counted. */
async function counted(tutorId: string, count: number) {
  await until(async () => (await rating(tutorId)).count === count);
  return rating(tutorId);
}

test('reviews count by the bus, each once, and the average is exact', async () => {
  const { id } = await listedTutor(service);
  const reviews = [5, 4, 4].map((stars) => ({ id: uuidv7(), stars }));
  for (const one of reviews) expect((await review(id, one.id, one.stars)).status).toBe(204);
  for (const one of reviews) expect((await review(id, one.id, one.stars)).status).toBe(204);
  for (const one of reviews) expect((await review(id, one.id, one.stars, `review:${one.id}/again`)).status).toBe(204);
  expect(await counted(id, 3)).toEqual({ average: 4.33, count: 3 });
  for (let n = 0; n < 7; n++) await review(id, uuidv7(), 1);
  expect(await counted(id, 10)).toEqual({ average: 2, count: 10 });
});

test('ten at once are ten', async () => {
  const { id } = await listedTutor(service);
  await Promise.all(Array.from({ length: 10 }, (_, n) => review(id, uuidv7(), (n % 5) + 1)));
  expect(await counted(id, 10)).toEqual({ average: 3, count: 10 });
});

test('nobody is no tutor, and stars are one to five', async () => {
  expect(await review(uuidv7(), uuidv7(), 5)).toMatchObject({ status: 404, body: { code: 'not_found' } });
  const { id } = await listedTutor(service);
  for (const stars of [0, 6, 4.5, '5', null]) expect((await review(id, uuidv7(), stars)).status).toBe(422);
});

test('a review of a tutor who is gone is counted nowhere, and holds nothing up', async () => {
  const [gone, tutor] = [uuidv7(), await listedTutor(service)];
  const append = async (tutorId: string, type: string, data: object) => {
    const reviewId = uuidv7();
    await service.database.sql`
      insert into events (event_id, stream_id, version, type, data) values
        (${uuidv7()}, ${reviewId}, 1, ${type}, ${JSON.stringify({ tutorId, participantIds: [tutorId], ...data })}::text::jsonb)`;
    return reviewId;
  };
  await append(gone, 'TutorReviewReceived', { reviewId: uuidv7(), rating: 5 });
  await review(tutor.id, uuidv7(), 5);
  await counted(tutor.id, 1);
  await append(tutor.id, 'TutorRemoved', {});
  await until(
    async () => (await service.database.sql`select 1 from tutor_ratings where tutor_id = ${tutor.id}`).length === 0,
  );
  expect(await service.database.sql`select 1 from parked_events`).toHaveLength(0);
});
