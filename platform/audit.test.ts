import { createTestDatabase, type TestDatabase } from '../tests/support/database';
import { type AdminAct, listActs, recordAct } from './audit';
import { uuidv7 } from './ids';

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('identity');
});
afterAll(() => database.drop());

/** Notes an act. @returns whom it was done to */
async function done(act: Partial<AdminAct> = {}): Promise<string> {
  const id = uuidv7();
  await database.db.transaction((tx) =>
    recordAct(tx, {
      ...{ adminId: uuidv7(), act: 'role_changed', subject: { type: 'user', id }, reason: 'Asked for by phone' },
      ...{ before: { role: 'student' }, after: { role: 'tutor' }, ...act },
    }),
  );
  return id;
}

test.each([
  ['changed', "update admin_acts set reason = 'Something else'"],
  ['forgotten', 'delete from admin_acts'],
  ['forgotten at once', 'truncate admin_acts'],
])('what was done cannot be %s', async (_, statement) => {
  const id = await done();
  await expect(database.sql.unsafe(statement)).rejects.toMatchObject({
    constraint_name: 'admin_acts_are_append_only',
  });
  expect((await listActs(database.db, { subjectId: id, limit: 10 })).items).toMatchObject([
    { reason: 'Asked for by phone', subject: { type: 'user', id }, before: { role: 'student' } },
  ]);
});

test('a reason that says nothing is refused by the table too', async () => {
  await expect(done({ reason: 'because' })).rejects.toMatchObject({
    cause: { constraint_name: 'admin_acts_reason' },
  });
});

test('acts are listed page by page, the newest first, of one administrator or one subject', async () => {
  const adminId = uuidv7();
  const subjects = [await done({ adminId }), await done({ adminId }), await done({ adminId })];
  await done();
  const first = await listActs(database.db, { adminId, limit: 2 });
  expect(first.items.map(({ subject }) => subject.id)).toEqual([subjects[2], subjects[1]]);
  const rest = await listActs(database.db, { adminId, limit: 2, cursor: first.nextCursor ?? '' });
  expect(rest).toMatchObject({ items: [{ subject: { id: subjects[0] } }], nextCursor: null });
  const one = await listActs(database.db, { subjectId: subjects[1], limit: 2 });
  expect(one.items).toHaveLength(1);
  await expect(listActs(database.db, { limit: 2, cursor: 'nowhere' })).rejects.toMatchObject({
    code: 'validation_failed',
  });
});

test('an operator who holds the database is nobody in particular', async () => {
  const subjectId = await done({ adminId: null });
  expect((await listActs(database.db, { subjectId, limit: 2 })).items).toMatchObject([{ adminId: null }]);
});
