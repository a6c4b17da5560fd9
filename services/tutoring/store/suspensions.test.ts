import { uuidv7 } from '../../../platform/ids';
import { startTestService, type TestService } from '../../../tests/support/service';
import { listedTutor, newTutor, type TestTutor } from '../../../tests/support/tutors';
import { tutoringService } from '../routes';

let service: TestService;
beforeAll(async () => {
  service = await startTestService(tutoringService);
});
afterAll(() => service.close());

const call = (what: 'unlist' | 'relist', { id }: { id: string }, suspensionId: string) =>
  service.internal('POST', `/internal/tutors/${id}/${what}`, {
    key: `suspension:${suspensionId}/${what}`,
    body: { suspensionId },
  });
const isFound = async ({ id }: TestTutor) => {
  const { body } = await service.ask('GET', '/api/tutors?limit=100');
  return body.items.some((tutor: { id: string }) => tutor.id === id);
};
const quote = async ({ id }: TestTutor) => {
  const body = { subject: 'Mathematics', scheduledAt: nextHour(), durationMinutes: 60 };
  return (await service.internal('POST', `/internal/tutors/${id}/quote`, { body })).status;
};
const nextHour = () => new Date(Math.ceil(Date.now() / 3_600_000 + 72) * 3_600_000).toISOString();
const setPrices = (tutor: TestTutor) =>
  service.ask('PUT', '/api/tutors/pricing', {
    token: tutor.token,
    body: { options: [{ kind: 'hourly', price: { amount: 4_500, currency: 'EUR' } }] },
  });
const told = async ({ id }: TestTutor) =>
  (await service.database.sql`select type from events where stream_id = ${id} and type = 'TutorUnlisted'`).length;

test('a tutor who is kept out is neither found nor booked, whatever they set, and found again when it is over', async () => {
  const tutor = await listedTutor(service);
  const suspensionId = uuidv7();
  expect([await isFound(tutor), await quote(tutor)]).toEqual([true, 200]);
  expect((await call('unlist', tutor, suspensionId)).status).toBe(204);
  expect((await call('unlist', tutor, suspensionId)).status).toBe(204); // repeated
  expect([await isFound(tutor), await quote(tutor), await told(tutor)]).toEqual([false, 404, 1]);
  expect((await setPrices(tutor)).status).toBe(200);
  expect(await isFound(tutor)).toBe(false);
  expect((await call('relist', tutor, suspensionId)).status).toBe(204);
  expect([await isFound(tutor), await quote(tutor)]).toEqual([true, 200]);
});

test('who was not listed before is not afterwards, and is nobody to be told of', async () => {
  const tutor = await newTutor(service);
  const suspensionId = uuidv7();
  await call('unlist', tutor, suspensionId);
  await call('relist', tutor, suspensionId);
  expect([await isFound(tutor), await told(tutor)]).toEqual([false, 0]);
});

test('an earlier suspension that ends late leaves a later one in force', async () => {
  const tutor = await listedTutor(service);
  const [earlier, later] = [uuidv7(), uuidv7()];
  await call('unlist', tutor, earlier);
  await call('unlist', tutor, later);
  await call('relist', tutor, earlier);
  expect(await isFound(tutor)).toBe(false);
  await call('relist', tutor, later);
  expect(await isFound(tutor)).toBe(true);
});

test('of somebody who is no tutor there is nothing to take', async () => {
  expect((await call('unlist', { id: uuidv7() }, uuidv7())).status).toBe(204);
  expect((await call('relist', { id: uuidv7() }, uuidv7())).status).toBe(204);
});
