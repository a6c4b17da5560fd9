import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { eq } from 'drizzle-orm';
import { z } from 'zod';
import { users } from '../db/schema/identity';
import { loadConfig } from '../platform/config';
import { uuidv7 } from '../platform/ids';
import { identityService } from '../services/identity/routes';
import { notificationContract } from '../services/notification/contract';
import { DEFAULT_PREFERENCES } from '../services/notification/rules';
import { paymentContract } from '../services/payment/contract';
import { tutoringContract } from '../services/tutoring/contract';
import { startTestService, type TestService } from '../tests/support/service';
import { type Clients, createClients } from './clients';
import { createUserCreationActivities, type UserCreationActivities } from './user-creation';

// identity is the real one; the three others are one server that checks each call by their own contracts and notes it.
const called = z.object({ method: z.string(), path: z.string(), key: z.string(), body: z.unknown() });
type Called = z.infer<typeof called>;

let identity: TestService;
let others: Server;
let clients: Clients;
let activities: UserCreationActivities;
const calls: Called[] = [];

const REPLIES: [RegExp, { status: number; body?: object; schema?: z.ZodType }][] = [
  [
    /^POST \/internal\/accounts$/,
    { status: 201, schema: paymentContract.createAccount.body, body: { userId: uuidv7() } },
  ],
  [/^POST \/internal\/accounts\/[^/]+\/remove$/, { status: 200, body: { userId: uuidv7() } }],
  [/^POST \/internal\/tutors$/, { status: 201, schema: tutoringContract.createTutor.body, body: { id: uuidv7() } }],
  [/^POST \/internal\/tutors\/[^/]+\/remove$/, { status: 204 }],
  [
    /^POST \/internal\/preferences\/[^/]+$/,
    { status: 201, schema: notificationContract.createPreferences.body, body: DEFAULT_PREFERENCES },
  ],
  [/^POST \/internal\/preferences\/[^/]+\/remove$/, { status: 204 }],
  [
    /^POST \/internal\/notifications$/,
    { status: 200, schema: notificationContract.recordNotification.body, body: { id: uuidv7(), status: 'pending' } },
  ],
];

async function answer(request: IncomingMessage): Promise<{ status: number; body?: object }> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(Buffer.from(chunk));
  const text = Buffer.concat(chunks).toString();
  const call = called.parse({
    method: request.method,
    path: request.url,
    key: request.headers['idempotency-key'],
    body: text === '' ? undefined : JSON.parse(text),
  });
  calls.push(call);
  const reply = REPLIES.find(([pattern]) => pattern.test(`${call.method} ${call.path}`))?.[1];
  if (!reply) return { status: 404, body: { code: 'not_found' } };
  const checked = reply.schema?.safeParse(call.body);
  return checked?.success === false ? { status: 422, body: { code: 'validation_failed' } } : reply;
}

beforeAll(async () => {
  identity = await startTestService(identityService);
  others = createServer((request, response) => {
    answer(request).then(
      ({ status, body }) => response.writeHead(status).end(body && JSON.stringify(body)),
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((resolve) => others.listen(0, '127.0.0.1', resolve));
  const elsewhere = `http://127.0.0.1:${(others.address() as AddressInfo).port}`;
  clients = createClients(
    loadConfig(
      {
        SERVICE_TOKEN_SECRET: identity.config.SERVICE_TOKEN_SECRET,
        PUBLIC_URL: 'https://tutorconnect.example',
        IDENTITY_URL: identity.url,
        PAYMENT_URL: elsewhere,
        TUTORING_URL: elsewhere,
        NOTIFICATION_URL: elsewhere,
      },
      'no-env-file-in-tests',
    ),
  );
  activities = createUserCreationActivities(clients);
});

afterAll(async () => {
  await clients.close();
  await new Promise((resolve) => others.close(resolve));
  await identity.close();
});

beforeEach(() => void calls.splice(0));

async function pendingUser(role: 'student' | 'tutor'): Promise<string> {
  const id = uuidv7();
  await identity.database.db.insert(users).values({
    id,
    email: `ada.${id}@example.com`,
    passwordHash: 'x',
    role,
    status: 'pending',
    registration: { firstName: 'Ada', lastName: 'Lovelace', timeZone: 'Europe/Vienna', locale: 'de' },
    attemptId: uuidv7(),
    attemptUntil: new Date(),
  });
  return id;
}

const statusOf = async (id: string) =>
  (await identity.database.db.select({ status: users.status }).from(users).where(eq(users.id, id)))[0]?.status;

test.each(['student', 'tutor'] as const)(
  'a %s is set up with name and address of identity, none of which comes back',
  async (role) => {
    const userId = await pendingUser(role);
    const step = (name: string) => ({ userId, key: `user:${userId}/${name}` });
    const returned = [
      await activities.createProfile(step('profile')),
      await activities.createAccount({ ...step('account'), role }),
      await activities.createTutor(step('tutor')),
      await activities.createPreferences(step('preferences')),
      await activities.activateUser(step('activate')),
      await activities.sendWelcome(step('welcome')),
    ];
    expect(returned).toEqual([{ role }, undefined, undefined, undefined, { active: true }, undefined]);
    expect(await statusOf(userId)).toBe('active');
    const email = `ada.${userId}@example.com`;
    expect(calls).toEqual([
      {
        method: 'POST',
        path: '/internal/accounts',
        key: `user:${userId}/account`,
        body: { userId, role, email, name: 'Ada Lovelace' },
      },
      {
        method: 'POST',
        path: '/internal/tutors',
        key: `user:${userId}/tutor`,
        body: { userId, displayName: 'Ada Lovelace', timeZone: 'Europe/Vienna' },
      },
      {
        method: 'POST',
        path: `/internal/preferences/${userId}`,
        key: `user:${userId}/preferences`,
        body: {
          contact: {
            ...{ userId, email, emailVerified: false, name: 'Ada Lovelace', locale: 'de', timeZone: 'Europe/Vienna' },
            asOf: expect.stringMatching(/^20\d\d-.*Z$/),
          },
        },
      },
      {
        method: 'POST',
        path: '/internal/notifications',
        key: `user:${userId}/welcome`,
        body: {
          template: 'welcome_verify_email',
          recipientId: userId,
          usefulUntil: expect.any(String),
          data: {
            verifyUrl: expect.stringMatching(
              /^https:\/\/tutorconnect\.example\/api\/auth\/confirm-email\?token=[\w-]{43}$/,
            ),
          },
        },
      },
    ]);
  },
);

test('the link of the welcome mail proves the address; sent again it is the same link', async () => {
  const userId = await pendingUser('student');
  const welcome = { userId, key: `user:${userId}/welcome` };
  await activities.sendWelcome(welcome);
  await activities.sendWelcome(welcome);
  const [first, second] = calls.map(({ body }) => notificationContract.recordNotification.body.parse(body).data);
  expect(second).toEqual(first);
  const token = new URL(z.object({ verifyUrl: z.url() }).parse(first).verifyUrl).searchParams.get('token');
  expect((await identity.ask('POST', '/api/auth/verify-email', { body: { token } })).status).toBe(204);
});

test('every undo goes to the service of its step under the key of the step’s undo', async () => {
  const userId = await pendingUser('tutor');
  const undo = (name: string) => ({ userId, key: `user:${userId}/${name}/undo` as const });
  await activities.removePreferences(undo('preferences'));
  await activities.removeTutor(undo('tutor'));
  await activities.removeAccount(undo('account'));
  await activities.removeProfile(undo('profile'));
  await activities.removeUser(undo('register'));
  expect(calls.map(({ path, key }) => `${path} ${key}`)).toEqual([
    `/internal/preferences/${userId}/remove user:${userId}/preferences/undo`,
    `/internal/tutors/${userId}/remove user:${userId}/tutor/undo`,
    `/internal/accounts/${userId}/remove user:${userId}/account/undo`,
  ]);
  expect(await statusOf(userId)).toBeUndefined();
});

test('a refusal of a service reaches the saga with its code', async () => {
  await expect(
    activities.createAccount({ userId: uuidv7(), role: 'student', key: 'user:x/account' }),
  ).rejects.toMatchObject({ code: 'not_found' });
  await expect(activities.createPreferences({ userId: uuidv7(), key: 'user:x/preferences' })).rejects.toMatchObject({
    code: 'not_found',
  });
});
