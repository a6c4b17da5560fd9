import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { readPreferences, writePreferences } from './preferences';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('notification');
});
afterAll(() => database.drop());

test('a choice is replaced whole: of two writers at once one stays', async () => {
  const userId = uuidv7();
  const on = { reminders: { email: true, inApp: true }, reviewRequests: { email: true, inApp: true } };
  const off = { reminders: { email: false, inApp: false }, reviewRequests: { email: false, inApp: false } };
  await Promise.all(
    Array.from({ length: 10 }, (_, index) => writePreferences(database.db, userId, index % 2 ? on : off)),
  );
  expect([on, off]).toContainEqual(await readPreferences(database.db, userId));
});
