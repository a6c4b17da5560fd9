import { notValid, ProblemError } from '../../../kernel/errors';
import type { Service } from '../../../platform/http-server';
import { created, done, ok } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import {
  identityContract as contract,
  type FinishSignInRequest,
  MISSING_OF_SIGN_UP,
  type StartedSignIn,
} from '../contract';
import { identityKey, type Keyring } from '../keyring';
import { createDoor } from '../oidc/door';
import { type Account, accountOf, type Claims } from '../oidc/rules';
import {
  type KnownIdentity,
  linkByAddress,
  linkIdentity,
  linkRequired,
  listIdentities,
  unlinkIdentity,
  useIdentity,
} from '../oidc/store/identities';
import {
  dropClaims,
  keepClaims,
  readClaims,
  type SignUpWishes,
  spendTransaction,
  storeTransaction,
} from '../oidc/store/transactions';
import { rateLimitHeaders } from '../rules';
import { randomToken } from '../secrets';
import { createLimits } from '../store/limits';
import { readUser } from '../store/users';
import { type Caller, createSignIn, NO_STORE } from './sign-in';
import { createSignUp } from './sign-up';

/** Sign-in at OpenID providers: beginning, finishing, and which of them are linked to an account. */
export function serveOidc(service: Service, deps: ServiceDeps, keyring: Keyring): void {
  const { db } = deps.database;
  const transactions = createTransactions(deps);
  const limits = createLimits(deps);
  const enter = createEntrance(deps, keyring);

  service.serve(contract.listProviders, async () =>
    ok({ items: deps.config.oidcProviders.map(({ id, name }) => ({ id, name })) }),
  );

  service.serve(contract.startSignIn, async ({ address, params, body }) => {
    const headers = { ...NO_STORE, ...rateLimitHeaders(await limits.atProvider(address)) };
    const { redirectUri, verifierHash, ...wishes } = body;
    const started = await transactions.begin(params.provider, { redirectUri, verifierHash, wishes, userId: null });
    return { ...ok(started), headers };
  });

  service.serve(contract.finishSignIn, async (call) => {
    const headers = { ...NO_STORE, ...rateLimitHeaders(await limits.atProvider(call.address)) };
    const { provider } = call.params;
    const { claims, wishes } = await transactions.finish(provider, call.body, null);
    const known = (await useIdentity(db, claims)) ?? (await linkByAddress(db, provider, claims));
    if (known) return { ...(await enter.known(call, known)), headers };
    const account = accountOf(claims, wishes);
    if (!('needs' in account)) return { ...(await enter.first(call, provider, claims, account, wishes)), headers };
    const { transactionId } = call.body;
    const expiresAt = await transactions.keep(transactionId, claims);
    return { status: 202 as const, headers, body: { needs: account.needs, transactionId, expiresAt } };
  });

  service.serve(contract.completeSignIn, async (call) => {
    const headers = { ...NO_STORE, ...rateLimitHeaders(await limits.atProvider(call.address)) };
    const { provider } = call.params;
    const { transactionId, verifier, ...said } = call.body;
    const { claims, wishes } = await transactions.kept({ provider, transactionId, verifier });
    refuseSaidTwice(claims, wishes, said);
    const account = accountOf(claims, { ...wishes, ...said });
    if ('needs' in account) throw refusal(account.needs.map((name) => [name, 'is to be said']));
    const reply = await enter.first(call, provider, claims, account, wishes);
    await dropClaims(db, transactionId);
    return { ...reply, headers };
  });

  service.serve(contract.listIdentities, async ({ user }) => ok({ items: await listIdentities(db, user.id) }));

  service.serve(contract.startLink, async ({ address, user, params, body }) => {
    const headers = { ...NO_STORE, ...rateLimitHeaders(await limits.atProvider(address)) };
    const started = await transactions.begin(params.provider, { ...body, wishes: {}, userId: user.id });
    return { ...ok(started), headers };
  });

  service.serve(contract.finishLink, async ({ user, params: { provider }, body }) => {
    const { claims } = await transactions.finish(provider, body, user.id);
    return ok(await linkIdentity(db, { userId: user.id, sessionId: user.sessionId }, provider, claims));
  });

  service.serve(contract.unlink, async ({ user, params }) => {
    await unlinkIdentity(db, { userId: user.id, sessionId: user.sessionId }, params.id);
    return done;
  });
}

interface Beginning {
  redirectUri: string;
  verifierHash: string;
  wishes: SignUpWishes;
  /** Who links it to their account; null: whoever signs in. */
  userId: string | null;
}

/** Transactions with providers, as they are begun and finished. */
function createTransactions(deps: ServiceDeps) {
  const { config } = deps;
  const { db } = deps.database;
  const door = createDoor(deps);
  const key = identityKey(config, 'oidc-transactions');

  return {
    /** @throws ProblemError not_found; validation_failed for an app that the settings do not name; upstream_unavailable */
    async begin(provider: string, { redirectUri, ...beginning }: Beginning): Promise<StartedSignIn> {
      door.requireProvider(provider);
      if (!config.OIDC_REDIRECT_URIS.includes(redirectUri))
        throw refusal([['redirectUri', 'is not one of OIDC_REDIRECT_URIS']]);
      const secrets = { state: randomToken(), nonce: randomToken(), codeVerifier: randomToken() };
      const authorizationUrl = await door.authorizationUrl(provider, secrets);
      return {
        authorizationUrl,
        ...(await storeTransaction(db, key, { provider, redirectUri, secrets, ...beginning })),
      };
    },

    /** What the provider says of whom it sent back. @throws ProblemError not_found; validation_failed; invalid_token; upstream_unavailable */
    async finish(
      provider: string,
      { transactionId, verifier, callbackUrl }: FinishSignInRequest,
      userId: string | null,
    ) {
      door.requireProvider(provider);
      if (!URL.canParse(callbackUrl)) throw refusal([['callbackUrl', 'must be a URL']]);
      const { search, hash, href } = new URL(callbackUrl);
      const calledAt = href.slice(0, href.length - search.length - hash.length);
      const named = { provider, transactionId, verifier };
      const { secrets, wishes } = await spendTransaction(db, key, named, { calledAt, userId });
      return { claims: await door.claimsOf(provider, new URLSearchParams(search), secrets), wishes };
    },

    /** Keeps what a provider has said, for `kept`. @returns until when */
    keep: (id: string, claims: Claims) => keepClaims(db, key, id, claims),

    /** @throws ProblemError not_found; invalid_token */
    async kept(named: Parameters<typeof readClaims>[2]) {
      door.requireProvider(named.provider);
      return readClaims(db, key, named);
    },
  };
}

/** Lets people in who have come back from a provider. */
function createEntrance(deps: ServiceDeps, keyring: Keyring) {
  const { db } = deps.database;
  const signIn = createSignIn(deps, keyring);
  const signUp = createSignUp(deps);

  /** Signs in who is known, or has them show their second factor; one whose account is still being set up is told so. */
  async function known(call: Caller, { userId, identityId }: KnownIdentity) {
    const user = await readUser(db, userId);
    if (user.status === 'pending') return { status: 202 as const, body: { user } };
    const entered = await signIn.enter(call, user, { identityId });
    return 'challenge' in entered ? { status: 202 as const, body: entered } : ok({ user, ...entered });
  }

  return {
    known,
    /** Makes the account of a first sign-in. @throws ProblemError link_required where somebody has the address; upstream_unavailable */
    async first(
      call: Caller & { receivedAt: Date },
      provider: string,
      claims: Claims,
      { role, email, firstName, lastName, isEmailProven }: Account,
      { timeZone = 'UTC', locale = 'en' }: SignUpWishes,
    ) {
      const { issuer, subject } = claims;
      const registration = { firstName, lastName, timeZone, locale };
      const identity = { provider, issuer, subject, email: claims.email };
      const person = { email, passwordHash: null, role, registration, identity, isEmailProven };
      try {
        const user = await signUp(person, call.receivedAt);
        if (user.status === 'pending') return { status: 202 as const, body: { user } };
        const made = await useIdentity(db, claims);
        if (!made) throw new ProblemError('invalid_credentials');
        const tokens = await signIn.first(call, user, { identityId: made.identityId });
        return created({ user, tokens });
      } catch (error) {
        const isTaken = error instanceof ProblemError && (error.code === 'email_taken' || error.code === 'conflict');
        if (!isTaken) throw error;
        // The same person may have come by another transaction at the same time: the account of that one is theirs.
        const found = await useIdentity(db, claims);
        if (!found) throw linkRequired(provider);
        return known(call, found);
      }
    },
  };
}

/** What the provider or the start has said is not said again: two answers to one question would be one too many. */
function refuseSaidTwice(claims: Claims, wishes: SignUpWishes, said: object): void {
  const account = accountOf(claims, wishes);
  const needs: readonly string[] = 'needs' in account ? account.needs : [];
  const twice = MISSING_OF_SIGN_UP.filter((name) => name in said && !needs.includes(name));
  if (twice.length > 0) throw refusal(twice.map((name) => [name, 'was said already']));
}

function refusal(fields: [name: string, message: string][]): ProblemError {
  return notValid(fields.map(([name, message]) => ({ path: `body.${name}`, message })));
}
