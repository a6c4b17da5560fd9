import { z } from 'zod';
import { NO_LIMITS } from '../../dev/stack/own-platform';
import { serviceTokens } from '../../platform/auth';
import type { Bus } from '../../platform/bus/open';
import { createServiceClient } from '../../platform/http-client';
import type { Sagas } from '../../platform/temporal';
import { definitionOf } from '../../services';
import { createIdentityClient, type IdentityClient } from '../../services/identity/client';
import { type UserCreationInput, userCreationSaga } from '../../workflows/user-creation.api';
import { type Reply, startTestService } from './service';
import { uniqueEmail } from './users';

/** What stands in for the saga: the same calls, made by the typed client over HTTP. Each test may put another in its place. */
type Saga = (identity: IdentityClient, input: UserCreationInput) => Promise<void>;

export const completes: Saga = async (identity, { userId }) => {
  await identity.createProfile(userId, `user:${userId}/profile`);
  await identity.activateUser(userId, `user:${userId}/activate`);
};
export const isUndone: Saga = async (identity, { userId }) => {
  await identity.createProfile(userId, `user:${userId}/profile`);
  await identity.removeProfile(userId, `user:${userId}/profile/undo`);
  await identity.removeUser(userId, `user:${userId}/register/undo`);
};
export const takesLong: Saga = async () => undefined;

/** Ids and role only: people read histories. */
const sagaInput = z.strictObject({ userId: z.uuid(), role: z.enum(['student', 'tutor']) });

export const password = 'correct horse battery';

/** A registration of somebody new; `change` replaces single fields. */
export const form = (change: object = {}) => ({
  email: uniqueEmail(),
  password,
  role: 'student',
  firstName: 'Ada',
  lastName: 'Lovelace',
  ...change,
});

/**
 * identity as it runs, and what people and activities ask of it. Sagas of sign-ups are played by `saga`, others by the test. Without a `bus` nothing is
 * published. `wake`: what hears of sagas that are woken; left out: none may be.
 */
export async function startAccounts(
  environment: Readonly<Record<string, string>> = NO_LIMITS,
  bus?: Bus,
  wake?: Sagas['wake'],
) {
  const running: Promise<void>[] = [];
  const started: { type: string; workflowId: string; input: unknown }[] = [];
  const sagas = {
    /** What each sign-up that is started does. */
    saga: completes,
    /** What happens before Temporal takes a saga; it may throw. */
    starting: async (): Promise<void> => undefined,
    /** What a saga does that is signalled; false, and it may throw, where Temporal knows none. */
    hearing: async (_workflowId: string): Promise<boolean> => false,
    started,
  };
  const service = await startTestService(definitionOf('identity'), {
    environment,
    ...(bus && { bus }),
    sagas: {
      ...(wake && { wake }),
      start: async (type, input) => {
        await sagas.starting();
        started.push({ type: type.workflowType, workflowId: type.workflowId(input), input });
        if (type.workflowType === userCreationSaga.workflowType)
          running.push(sagas.saga(identity, sagaInput.parse(input)));
      },
      signal: (workflowId) => sagas.hearing(workflowId),
    },
  });
  const identity = createIdentityClient(
    createServiceClient(service.url, serviceTokens(service.config.SERVICE_TOKEN_SECRET)),
  );
  const register = (body: object) => service.ask('POST', '/api/auth/register', { body });
  return {
    service,
    /** The client that activities have. */
    identity,
    sagas,
    register,
    login: (email: string, pass = password) =>
      service.ask('POST', '/api/auth/login', { body: { email, password: pass } }),
    refresh: (refreshToken: string, refreshId?: string) =>
      service.ask('POST', '/api/auth/refresh', { body: { refreshToken, refreshId } }),
    me: (token: string) => service.ask('GET', '/api/auth/me', { token }),
    /** Registers somebody, whose sign-up completes. */
    async signUp(change: object = {}) {
      const reply = await register(form(change));
      expect(reply.status).toBe(201);
      const { user, tokens } = reply.body;
      return { user, accessToken: String(tokens.accessToken), refreshToken: String(tokens.refreshToken) };
    },
    /** Waits for the sagas of a test; those of the next complete again. */
    async settle() {
      await Promise.all(running.splice(0));
      sagas.saga = completes;
      sagas.starting = async () => undefined;
      sagas.hearing = async () => false;
      started.length = 0;
    },
    close: () => service.close(),
  };
}

export type Accounts = Awaited<ReturnType<typeof startAccounts>>;

/** Expects a refusal as a problem document. */
export function expectProblem(reply: Reply, status: number, code: string): void {
  expect({ status: reply.status, code: reply.body.code }).toEqual({ status, code });
  expect(String(reply.headers['content-type'])).toContain('application/problem+json');
}
