import { undoKeyOf } from '../../../kernel/step-key';
import { uuidv7 } from '../../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { contactOf, somebody } from '../../../tests/support/notifications';
import { step } from '../../../tests/support/users';
import { keepContacts, readContact } from '../store/contacts';
import {
  dropAddress,
  forgetAddress,
  proposeAddress,
  readAddressChange,
  restoreAddress,
  switchAddress,
  switchAddressBack,
} from './store';

let database: TestDatabase;
let db: TestDatabase['db'];
beforeAll(async () => {
  database = await createTestDatabase('notification');
  db = database.db;
});
afterAll(() => database.drop());

const keyOf = (requestId: string, name: string) => `email-change:${requestId}/${name}`;
const addressOf = async (userId: string) => {
  const { email, emailVerified } = (await readContact(db, userId)) ?? {};
  return { email, emailVerified };
};

/** Somebody who is reached by `from`, and changes. */
async function person(emailVerified = true) {
  const contact = contactOf({ emailVerified });
  await keepContacts(db, [contact]);
  const { userId, email: from } = contact;
  /** A change to another address, with its steps. */
  const change = (emailBefore = from, email = somebody()) => {
    const id = uuidv7();
    return {
      ...{ id, from: emailBefore, to: email },
      propose: () => proposeAddress(db, step(keyOf(id, 'propose')), id, { userId, emailBefore, email }),
      drop: () => dropAddress(db, step(undoKeyOf(keyOf(id, 'propose'))), id),
      switch: () => switchAddress(db, step(keyOf(id, 'switch')), id),
      switchBack: () => switchAddressBack(db, step(undoKeyOf(keyOf(id, 'switch'))), id),
      restore: () => restoreAddress(db, step(keyOf(id, 'restore')), id, { userId, email: emailBefore }),
      forget: () => forgetAddress(db, step(keyOf(id, 'forget')), id, userId),
    };
  };
  return { contact, userId, from, change };
}

test('a person is reached as before until the proposed address is theirs, which is known of it then', async () => {
  const { userId, from, change } = await person(false);
  const one = change();
  await one.propose();
  expect(await addressOf(userId)).toEqual({ email: from, emailVerified: false });
  expect(await readAddressChange(db, one.id)).toMatchObject({ userId, before: from, proposed: one.to });
  for (let n = 0; n < 2; n++) await one.switch();
  expect(await addressOf(userId)).toEqual({ email: one.to, emailVerified: true });
});

test.each([true, false])('switched back, it is as before, also whether it was proven (%s)', async (emailVerified) => {
  const { userId, from, change } = await person(emailVerified);
  const one = change();
  await one.propose();
  await one.switch();
  await one.switchBack();
  expect(await addressOf(userId)).toEqual({ email: from, emailVerified });
  await one.drop();
  expect(await readAddressChange(db, one.id)).toBeUndefined();
  await expect(one.switch()).rejects.toMatchObject({ code: 'undone' });
});

test('what is not proposed, or not any more, is switched to by nobody', async () => {
  const { userId, from, change } = await person();
  const [never, dropped] = [change(), change()];
  await dropped.propose();
  await dropped.drop();
  for (const one of [never, dropped]) await expect(one.switch()).rejects.toMatchObject({ code: 'invalid_state' });
  expect(await addressOf(userId)).toMatchObject({ email: from });
});

test('of whom nothing is known here nothing is switched, and a change that nothing is kept of is restored all the same', async () => {
  const [id, userId, email] = [uuidv7(), uuidv7(), somebody()];
  await proposeAddress(db, step(keyOf(id, 'propose')), id, { userId, emailBefore: somebody(), email });
  await switchAddress(db, step(keyOf(id, 'switch')), id);
  expect(await readContact(db, userId)).toBeUndefined();
  const { userId: known, from, change } = await person();
  const one = change();
  await one.propose();
  await one.switch();
  await change(from).restore();
  expect(await addressOf(known)).toEqual({ email: from, emailVerified: true });
});

test('a change is switched back only while the address is of that change', async () => {
  const { userId, change } = await person();
  const one = change();
  await one.propose();
  await one.switch();
  const two = change(one.to);
  await two.propose();
  await two.switch();
  await one.switchBack();
  expect(await addressOf(userId)).toMatchObject({ email: two.to });
});

test('a change that is taken back drops what was proposed after it: a switch that comes late finds nothing', async () => {
  const { userId, from, change } = await person();
  const zero = change();
  await zero.propose();
  await zero.switch();
  const one = change(zero.to);
  await one.propose();
  await one.switch();
  const two = change(one.to);
  await two.propose();
  await one.restore();
  expect(await addressOf(userId)).toEqual({ email: zero.to, emailVerified: true });
  await expect(two.switch()).rejects.toMatchObject({ code: 'invalid_state' });
  await two.switchBack();
  await two.drop();
  expect(await addressOf(userId)).toMatchObject({ email: zero.to });
  // The one before it can be taken back still.
  await zero.restore();
  expect(await addressOf(userId)).toMatchObject({ email: from });
});

test('beside each other, a restored address is the one that stays, whichever comes first', async () => {
  for (let round = 0; round < 20; round++) {
    const { userId, from, change } = await person();
    const one = change();
    await one.propose();
    await one.switch();
    const two = change(one.to);
    await two.propose();
    const both = round % 2 === 0 ? [one.restore, two.switch] : [two.switch, one.restore];
    const [first, second] = await Promise.allSettled(both.map((each) => each()));
    const refused = [first, second].flatMap((each) => (each?.status === 'rejected' ? [each.reason] : []));
    for (const reason of refused) expect(reason).toMatchObject({ code: 'invalid_state' });
    expect(await addressOf(userId)).toMatchObject({ email: from });
    await two.switchBack();
    expect(await addressOf(userId)).toMatchObject({ email: from });
  }
});

describe('what identity says of a contact', () => {
  const LATER = '2031-01-01T00:00:00.000Z';
  const LATEST = '2032-01-01T00:00:00.000Z';

  test('replaces no address that is changed and can be changed back, whatever it knew, but name and time', async () => {
    const { contact, userId, from, change } = await person(false);
    const one = change();
    await one.propose();
    await one.switch();
    expect(await keepContacts(db, [{ ...contact, name: 'Grace B. Hopper', asOf: LATER }])).toBe(1);
    expect(await readContact(db, userId)).toMatchObject({
      email: one.to,
      emailVerified: true,
      name: 'Grace B. Hopper',
    });
    await one.restore();
    await keepContacts(db, [{ ...contact, email: one.to, asOf: LATEST }]);
    expect(await addressOf(userId)).toMatchObject({ email: from });
  });

  test('counts again once the change is settled, and what it said earlier does not', async () => {
    const { contact, userId, from, change } = await person();
    const one = change();
    await one.propose();
    await one.switch();
    await keepContacts(db, [{ ...contact, email: one.to, asOf: LATER }]);
    await one.forget();
    expect(await readAddressChange(db, one.id)).toBeUndefined();
    expect(await keepContacts(db, [{ ...contact, email: from, asOf: contact.asOf }])).toBe(0);
    expect(await addressOf(userId)).toMatchObject({ email: one.to });
    const other = somebody();
    await keepContacts(db, [{ ...contact, email: other, asOf: LATEST }]);
    expect(await addressOf(userId)).toMatchObject({ email: other });
  });

  test('counts at once where a change was switched back', async () => {
    const { contact, userId, change } = await person();
    const one = change();
    await one.propose();
    await one.switch();
    await one.switchBack();
    const other = somebody();
    await keepContacts(db, [{ ...contact, email: other, asOf: LATER }]);
    expect(await addressOf(userId)).toMatchObject({ email: other });
  });
});

test('a change that is forgotten leaves the address of a later one as it is, and its protection', async () => {
  const { contact, userId, change } = await person();
  const one = change();
  await one.propose();
  await one.switch();
  const two = change(one.to);
  await two.propose();
  await two.switch();
  await one.forget();
  await keepContacts(db, [{ ...contact, asOf: '2031-01-01T00:00:00.000Z' }]);
  expect(await addressOf(userId)).toMatchObject({ email: two.to });
});
