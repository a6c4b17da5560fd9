import { payees } from '../../db/schema/payment';
import { tutorProfiles } from '../../db/schema/tutoring';
import { uuidv7 } from '../../platform/ids';
import { openSession } from '../../services/identity/store/sessions';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { activeUser } from '../../tests/support/users';
import { aboutAccounts } from './accounts';

let databases: Record<'identity' | 'tutoring' | 'payment', TestDatabase>;
beforeAll(async () => {
  const [identity, tutoring, payment] = await Promise.all([
    createTestDatabase('identity'),
    createTestDatabase('tutoring'),
    createTestDatabase('payment'),
  ]);
  databases = { identity, tutoring, payment };
});
afterAll(async () => {
  for (const database of Object.values(databases)) await database.drop();
});

type Context = keyof typeof databases;
const isOne = (context: string): context is Context => context in databases;
const evidence = {
  database(context: string) {
    if (!isOne(context)) throw new Error(`${context} is not asked`);
    return databases[context].sql;
  },
};

const device = { isFirst: false, proof: { passwordHash: 'hash of Ada' }, userAgent: null, address: '203.0.113.7' };

test('what is kept from who is let in, and what survives what should have ended it, is found', async () => {
  const { db, sql } = databases.identity;
  const userId = await activeUser(db);
  const { sessionId } = await openSession(db, { userId, ...device });
  expect(await aboutAccounts(evidence)).toEqual([]);

  const [suspensionId, tutor, payee] = [uuidv7(), uuidv7(), uuidv7()];
  await sql`insert into suspensions (id, user_id, ended_at) values (${suspensionId}, ${userId}, now())`;
  const profile = { id: tutor, displayName: 'Ada', timeZone: 'UTC', suspendedBy: suspensionId };
  await databases.tutoring.db.insert(tutorProfiles).values(profile);
  await databases.payment.db.insert(payees).values({ userId: payee, frozenBy: suspensionId });
  await sql`insert into events (event_id, stream_id, version, type, data)
    values (${uuidv7()}, ${userId}, 7, 'UserPasswordChanged', '{}')`;
  expect(await aboutAccounts(evidence)).toEqual([
    `suspension ${suspensionId} is over, and its saga has not heard so`,
    `tutor ${tutor} is let in and cannot be found`,
    `payee ${payee} is let in and cannot be paid out`,
    `session ${sessionId} has survived another password, or that its person was kept out`,
  ]);
});
