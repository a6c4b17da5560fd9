import { eq, sql } from 'drizzle-orm';
import { passkeyRegistrations, passkeys, userSessions } from '../../../db/schema/identity';
import { codeOf } from '../../../dev/machine/authenticator';
import { uuidv7 } from '../../../platform/ids';
import { deriveKey } from '../../../platform/sealing';
import { createTestDatabase, type TestDatabase } from '../../../tests/support/database';
import { softwareAuthenticator } from '../../../tests/support/software-authenticator';
import { activeUser, eventsOf } from '../../../tests/support/users';
import { AssertedCredential, CreatedCredential } from '../contract';
import { relyingParty } from '../passkeys';
import { challengeOf, forgetOldChallenges, meetChallenge } from './challenges';
import { addPasskey, listPasskeys, removePasskey, startPasskey } from './passkeys';
import { confirmTotp, removeTotp, startTotp } from './second-factors';
import { openSession, rotateRefreshToken } from './sessions';

let database: TestDatabase;
let db: TestDatabase['db'];
beforeAll(async () => {
  database = await createTestDatabase('identity');
  db = database.db;
});
afterAll(() => database.drop());

const ORIGIN = 'https://tutorconnect.example';
const party = relyingParty(ORIGIN);
const key = deriveKey('platform', 'totp');
/** What `activeUser` signs up with. */
const passwordHash = 'hash of Ada';
const where = { userAgent: null, address: '203.0.113.7' };
const refused = { code: 'invalid_credentials' };
const notThis = { code: 'validation_failed', more: { errors: [expect.objectContaining({ path: 'credential' })] } };
type Device = ReturnType<typeof softwareAuthenticator>;

/** Somebody who has shown their authenticator in the session of `sessionId`. */
async function enrolled() {
  const userId = await activeUser(db);
  const { sessionId } = await openSession(db, { userId, isFirst: false, proof: { passwordHash }, ...where });
  const { secret } = await startTotp(db, userId, { passwordHash, key });
  const at = new Date();
  const [recoveryCode = ''] = await confirmTotp(db, userId, { code: codeOf(secret, at), at, key, sessionId });
  return { userId, sessionId, recoveryCode };
}
type Who = Pick<Awaited<ReturnType<typeof enrolled>>, 'userId' | 'sessionId'>;

const start = ({ userId, sessionId }: Who) => startPasskey(db, userId, { passwordHash, sessionId, party });
const add = ({ userId, sessionId }: Who, device: Device, options: { challenge: string }) =>
  addPasskey(db, userId, { credential: CreatedCredential.parse(device.create(options)), sessionId, party });
async function withPasskey(device = softwareAuthenticator(ORIGIN)) {
  const who = await enrolled();
  return { ...who, device, passkey: await add(who, device, await start(who)) };
}
async function challenge(userId: string) {
  const made = await challengeOf(db, userId, { proof: { passwordHash }, party });
  if (!made?.passkey) throw new Error('no passkey is asked for');
  return { id: made.id, options: made.passkey, methods: made.methods };
}
const meet = (challengeId: string, signed: object) =>
  meetChallenge(db, {
    ...{ challengeId, passkey: AssertedCredential.parse(signed), at: new Date(), key, party },
    ...where,
  });

describe('a passkey', () => {
  test('is asked for at a sign-in and opens a session, which says so', async () => {
    const { userId, device } = await withPasskey();
    const { id, options, methods } = await challenge(userId);
    expect(methods).toEqual(['totp', 'recovery_code', 'passkey']);
    expect(options).toMatchObject({ rpId: 'tutorconnect.example', allowCredentials: [{ id: device.id }] });
    const opened = await meet(id, device.get(options));
    expect(opened).toMatchObject({ userId, secondFactor: 'passkey' });
    expect(await rotateRefreshToken(db, opened.refreshToken)).toMatchObject({ secondFactor: 'passkey' });
    expect((await listPasskeys(db, userId))[0]?.lastUsedAt).not.toBeNull();
    expect((await eventsOf(db, userId)).at(-1)).toMatchObject({ type: 'UserPasskeyAdded' });
  });

  test('leaves the codes what they are', async () => {
    const { userId, recoveryCode: code } = await withPasskey();
    const { id: challengeId } = await challenge(userId);
    const met = meetChallenge(db, { challengeId, code, at: new Date(), key, party, ...where });
    await expect(met).resolves.toMatchObject({ secondFactor: 'recovery_code' });
  });

  test.each<[string, (scene: { device: Device; options: { challenge: string } }) => object]>([
    ['another challenge', ({ device }) => device.get({ challenge: 'AAAA' })],
    ['a device that is not theirs', ({ options }) => softwareAuthenticator(ORIGIN).get(options)],
    [
      'a key of another device under its name',
      ({ device, options }) => ({ ...softwareAuthenticator(ORIGIN).get(options), id: device.id, rawId: device.id }),
    ],
    [
      'a signature that is none',
      ({ device, options }) => ({
        ...device.get(options),
        response: { ...device.get(options).response, signature: 'AAAA' },
      }),
    ],
    [
      'a copy that has fallen behind',
      ({ device, options }) => {
        device.fallBack(1);
        return device.get(options);
      },
    ],
  ])('is not met by %s', async (_, signed) => {
    const { userId, device } = await withPasskey();
    const { id, options } = await challenge(userId);
    await expect(meet(id, signed({ device, options }))).rejects.toMatchObject(refused);
  });

  test.each([
    ['another origin', 'https://tutorconnect.example.evil.example', 'tutorconnect.example'],
    ['another site', ORIGIN, 'evil.example'],
  ])('of %s is neither added nor taken', async (_, origin, rpId) => {
    const elsewhere = softwareAuthenticator(origin, rpId);
    const who = await enrolled();
    await expect(add(who, elsewhere, await start(who))).rejects.toMatchObject(notThis);
    const here = await withPasskey();
    const { id, options } = await challenge(here.userId);
    const signed = { ...elsewhere.get(options), id: here.device.id, rawId: here.device.id };
    await expect(meet(id, signed)).rejects.toMatchObject(refused);
  });

  test('of somebody else opens nothing', async () => {
    const [ada, eve] = [await withPasskey(), await withPasskey()];
    const { id, options } = await challenge(ada.userId);
    await expect(meet(id, eve.device.get(options))).rejects.toMatchObject(refused);
  });

  test.each([true, false])(
    'signs once: of parallel uses of what it signed one opens a session; it counts: %s',
    async (counts) => {
      const { userId, device } = await withPasskey(softwareAuthenticator(ORIGIN, party.id, counts));
      const { id, options } = await challenge(userId);
      const signed = device.get(options);
      const outcomes = await Promise.allSettled(Array.from({ length: 4 }, () => meet(id, signed)));
      expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    },
  );

  test('that was removed is asked for no more, nor one whose authenticator was given up', async () => {
    const { userId, device, passkey, sessionId, recoveryCode: code } = await withPasskey();
    const { id, options } = await challenge(userId);
    await expect(removePasskey(db, await activeUser(db), passkey.id)).rejects.toMatchObject({ code: 'not_found' });
    await removePasskey(db, userId, passkey.id);
    await expect(meet(id, device.get(options))).rejects.toMatchObject(refused);
    await expect(challenge(userId)).rejects.toThrow('no passkey is asked for');
    await expect(removePasskey(db, userId, passkey.id)).rejects.toMatchObject({ code: 'not_found' });
    await add({ userId, sessionId }, device, await start({ userId, sessionId }));
    await removeTotp(db, userId, { code, at: new Date(), key, passwordHash, sessionId });
    expect(await listPasskeys(db, userId)).toEqual([]);
    expect((await eventsOf(db, userId)).map(({ type }) => type)).toContain('UserPasskeyRemoved');
  });
});

describe('adding a passkey', () => {
  test('is for who has an authenticator, in a session that has shown it', async () => {
    const userId = await activeUser(db);
    const { sessionId } = await openSession(db, { userId, isFirst: false, proof: { passwordHash }, ...where });
    await expect(start({ userId, sessionId })).rejects.toMatchObject({ code: 'invalid_state' });
    const who = await enrolled();
    const options = await start(who);
    await db.update(userSessions).set({ secondFactor: null }).where(eq(userSessions.id, who.sessionId));
    const notShown = { code: 'second_factor_required' };
    await expect(start(who)).rejects.toMatchObject(notShown);
    await expect(add(who, softwareAuthenticator(ORIGIN), options)).rejects.toMatchObject(notShown);
  });

  test('answers what was begun last, within five minutes and once', async () => {
    const who = await enrolled();
    const device = softwareAuthenticator(ORIGIN);
    const nothing = { code: 'invalid_state' };
    await expect(add(who, device, { challenge: 'AAAA' })).rejects.toMatchObject(nothing);
    const [before, last] = [await start(who), await start(who)];
    await expect(add(who, device, before)).rejects.toMatchObject(notThis);
    await add(who, device, last);
    await expect(add(who, softwareAuthenticator(ORIGIN), last)).rejects.toMatchObject(nothing);
    const expired = await start(who);
    await db
      .update(passkeyRegistrations)
      .set({ expiresAt: sql`now()` })
      .where(eq(passkeyRegistrations.userId, who.userId));
    await expect(add(who, softwareAuthenticator(ORIGIN), expired)).rejects.toMatchObject(nothing);
    await forgetOldChallenges(db);
    expect(await db.select().from(passkeyRegistrations).where(eq(passkeyRegistrations.userId, who.userId))).toEqual([]);
  });

  test('of two at once for one beginning one is added', async () => {
    const who = await enrolled();
    const options = await start(who);
    const devices = Array.from({ length: 4 }, () => softwareAuthenticator(ORIGIN));
    const outcomes = await Promise.allSettled(devices.map((device) => add(who, device, options)));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('takes a device once, and ten in all; those that there are are left out', async () => {
    const { device, ...who } = await withPasskey();
    const options = await start(who);
    expect(options.excludeCredentials).toMatchObject([{ id: device.id, transports: ['internal'] }]);
    await expect(add(who, device, options)).rejects.toMatchObject({ code: 'conflict' });
    const rows = Array.from({ length: 9 }, () => ({
      ...{ id: uuidv7(), userId: who.userId, credentialId: uuidv7(), publicKey: 'AAAA', counter: 0, transports: [] },
    }));
    await db.insert(passkeys).values(rows);
    await expect(start(who)).rejects.toMatchObject({ code: 'conflict' });
  });
});
