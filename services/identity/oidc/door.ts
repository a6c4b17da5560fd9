import * as openid from 'openid-client';
import { causesOf, ProblemError } from '../../../kernel/errors';
import { HOUR } from '../../../kernel/time';
import { ConfigError } from '../../../platform/config';
import { codeOf } from '../../../platform/event-schema';
import type { OidcProvider } from '../../../platform/oidc-settings';
import type { ServiceDeps } from '../../../platform/service';
import { requireVendor } from '../../../platform/vendors';
import { OIDC_CALLBACK_PAGE } from '../contract';
import { claimsIn, joined } from './claims';
import { type Claims, ID_TOKEN_SECONDS, type Secrets } from './rules';

// The only place that talks to OpenID providers.

/** How long a provider may take for one answer. */
const ANSWER_SECONDS = 4;
/** More than any provider says; whoever sends more is not read to the end. */
const MOST_BYTES = 128 * 1024;
const KNOWN_FOR_MS = HOUR;

/** Speaks with the providers of the settings. @throws ConfigError for one whose secret is not told */
export function createDoor({ config, logger }: Pick<ServiceDeps, 'config' | 'logger'>) {
  const redirectUri = `${config.PUBLIC_URL}${OIDC_CALLBACK_PAGE}`;
  for (const { id, clientSecret } of config.oidcProviders)
    if (clientSecret === undefined)
      throw new ConfigError(
        `OIDC_${id.toUpperCase()}_CLIENT_SECRET is missing: set it to the secret by which ${id} knows the platform`,
      );
  const known = new Map<string, { until: number; provider: Promise<openid.Configuration> }>();

  function settingsOf(id: string): OidcProvider {
    const provider = config.oidcProviders.find((one) => one.id === id);
    if (!provider) throw new ProblemError('not_found', 'There is no such provider');
    return provider;
  }

  /** What a provider publishes of itself. It is asked again each hour, and whenever it did not answer. */
  function discovered({ id, issuer, clientId, clientSecret }: OidcProvider): Promise<openid.Configuration> {
    const found = known.get(id);
    if (found && found.until > Date.now()) return found.provider;
    const server = new URL(issuer);
    // The signature of an id token is checked though it comes from the provider itself: nothing else would notice a token that was changed there.
    const execute = [openid.enableNonRepudiationChecks];
    if (server.protocol === 'http:') execute.push(openid.allowInsecureRequests);
    const options = { execute, timeout: ANSWER_SECONDS, [openid.customFetch]: fetchLittle };
    const provider = openid.discovery(server, clientId, clientSecret, undefined, options);
    known.set(id, { until: Date.now() + KNOWN_FOR_MS, provider });
    provider.catch(() => known.delete(id));
    return provider;
  }

  /** Has a provider's fault, or its refusal, told as ours. What it said in words may quote a person, and is told to nobody. */
  async function asking<T>(id: string, ask: (provider: openid.Configuration) => Promise<T>): Promise<T> {
    requireVendor('oidc');
    const settings = settingsOf(id);
    try {
      return await ask(await discovered(settings));
    } catch (error) {
      const codes = codesOf(error);
      // A defect of ours, and nothing that a provider did.
      if (codes.length === 0) throw error;
      const isAway = codes.some((code) => AWAY.has(code));
      // What is innermost says it best: a refusal has the provider's own word, such as `access_denied`.
      const code = codeOf(String(codes.at(-1)).toLowerCase());
      logger.warn({ provider: id, code }, isAway ? 'a provider does not answer' : 'a sign-in at a provider is refused');
      if (isAway) throw new ProblemError('upstream_unavailable', `${settings.name} does not answer`);
      throw new ProblemError('invalid_token', `${settings.name} has not confirmed this sign-in`);
    }
  }

  return {
    /** Throws where there is no such provider. @throws ProblemError not_found */
    requireProvider: (id: string): void => void settingsOf(id),

    /** Where a person is sent to sign in. @throws ProblemError not_found; upstream_unavailable */
    authorizationUrl: (id: string, { state, nonce, codeVerifier }: Secrets): Promise<string> =>
      asking(id, async (provider) => {
        const challenge = await openid.calculatePKCECodeChallenge(codeVerifier);
        const url = openid.buildAuthorizationUrl(provider, {
          ...{ redirect_uri: redirectUri, scope: 'openid email profile', state, nonce },
          ...{ code_challenge: challenge, code_challenge_method: 'S256' },
        });
        return url.href;
      }),

    /**
     * What the provider says of whom it sent back with `answer`, the query of the callback. Where its id token does not say all of an account, it
     * is asked once more. @throws ProblemError not_found; invalid_token unless all fits together; upstream_unavailable
     */
    claimsOf: (id: string, answer: URLSearchParams, { state, nonce, codeVerifier }: Secrets): Promise<Claims> =>
      asking(id, async (provider) => {
        const url = new URL(redirectUri);
        url.search = answer.toString();
        const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: codeVerifier };
        const tokens = await openid.authorizationCodeGrant(provider, url, { ...checks, idTokenExpected: true });
        const idToken = tokens.claims();
        if (!idToken || idToken.iat < Date.now() / 1_000 - ID_TOKEN_SECONDS) throw new TooOld();
        const said = claimsIn(idToken);
        const { userinfo_endpoint: more } = provider.serverMetadata();
        const isAll = said.email !== null && said.firstName !== null && said.lastName !== null;
        const all =
          isAll || !more
            ? said
            : joined(said, claimsIn(await openid.fetchUserInfo(provider, tokens.access_token, idToken.sub)));
        return { issuer: idToken.iss, subject: idToken.sub, ...all };
      }),
  };
}

class TooOld extends Error {
  readonly code = 'ID_TOKEN_TOO_OLD';
}

/** The provider was not reached, hung up, or said too much. */
class Unreached extends Error {
  readonly code = 'UNREACHED';
}

/** As `fetch`, of answers that are no larger than any should be. */
const fetchLittle: openid.CustomFetch = async (url, options) => {
  try {
    const response = await fetch(url, options);
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of response.body ?? []) {
      bytes += part.length;
      if (bytes > MOST_BYTES) throw new Error('too large');
      parts.push(part);
    }
    const { status, statusText, headers } = response;
    return new Response(bytes > 0 ? Buffer.concat(parts) : null, { status, statusText, headers });
  } catch (cause) {
    throw new Unreached('The provider has not answered as it should', { cause });
  }
};

/** Codes by which openid-client says that an answer is none of the provider's, such as the 502 of a proxy, or that it does not know the platform. */
const AWAY = new Set([
  ...['UNREACHED', 'OAUTH_TIMEOUT', 'OAUTH_ABORT', 'OAUTH_RESPONSE_IS_NOT_CONFORM'],
  ...['invalid_client', 'unauthorized_client', 'server_error', 'temporarily_unavailable'],
]);

/** The codes of an error of openid-client, or of ours, the outermost first; none of any other. */
function codesOf(error: unknown): string[] {
  return [...causesOf(error)].flatMap((one) => [
    ...('code' in one && typeof one.code === 'string' ? [one.code] : []),
    ...('error' in one && typeof one.error === 'string' ? [one.error] : []),
  ]);
}
