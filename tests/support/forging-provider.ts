import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose';

/** What a forging provider hands out next. */
export interface Forgery {
  /** Claims of the id token beside those that are right. */
  claims?: Record<string, unknown>;
  /** `none`: not signed. `stranger`: by a key that it does not publish. */
  signed?: 'none' | 'stranger';
  /** What it says when it is asked for more; a text is sent as it is. */
  userinfo?: object | string;
  /** How it answers for a code, instead of tokens. */
  refuses?: { status: number; body: string };
  /** It never answers for a code. */
  hangs?: boolean;
}

/** A provider that does as it is told, for answers that no real one gives. */
export async function startForgingProvider(clientId: string, port = 0) {
  const { publicKey, privateKey } = await generateKeyPair('RS256');
  const stranger = await generateKeyPair('RS256');
  const jwk = { ...(await exportJWK(publicKey)), kid: 'forger', alg: 'RS256', use: 'sig' };
  let forgery: Forgery = {};
  const sessions = new Map<string, string>();

  async function idTokenFor(code: string): Promise<string> {
    const now = Math.floor(Date.now() / 1_000);
    const right = { iss: issuer, sub: 'forged', aud: clientId, iat: now, exp: now + 60, nonce: sessions.get(code) };
    const claims = { ...right, ...forgery.claims };
    if (forgery.signed === 'none') return new UnsecuredJWT(claims).encode();
    const key = forgery.signed === 'stranger' ? stranger.privateKey : privateKey;
    return new SignJWT(claims).setProtectedHeader({ alg: 'RS256', kid: 'forger' }).sign(key);
  }

  const server = createServer(async (incoming, outgoing) => {
    const { pathname } = new URL(incoming.url ?? '/', issuer);
    const json = (body: object | string, status = 200) => {
      const text = typeof body === 'string' ? body : JSON.stringify(body);
      outgoing.writeHead(status, { 'content-type': 'application/json' }).end(text);
    };
    if (pathname === '/.well-known/openid-configuration')
      return json({
        ...{ issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` },
        ...{ jwks_uri: `${issuer}/jwks`, userinfo_endpoint: `${issuer}/userinfo`, subject_types_supported: ['public'] },
        ...{ response_types_supported: ['code'], id_token_signing_alg_values_supported: ['RS256'] },
        authorization_response_iss_parameter_supported: true,
      });
    if (pathname === '/jwks') return json({ keys: [jwk] });
    if (pathname === '/userinfo') return json(forgery.userinfo ?? { sub: 'forged' });
    let form = '';
    for await (const part of incoming) form += part;
    if (forgery.hangs) return;
    if (forgery.refuses) return json(forgery.refuses.body, forgery.refuses.status);
    const code = new URLSearchParams(form).get('code') ?? '';
    json({ access_token: 'a', token_type: 'Bearer', expires_in: 60, id_token: await idTokenFor(code) });
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  return {
    issuer,
    /** What it does from here on. */
    will(next: Forgery): void {
      forgery = next;
    },
    /** The answer by which it sends a browser back, which `more` changes. */
    answer(authorizationUrl: string, more: Record<string, string> = {}): URLSearchParams {
      const asked = new URL(authorizationUrl).searchParams;
      const code = `code-${sessions.size}`;
      sessions.set(code, asked.get('nonce') ?? '');
      return new URLSearchParams({ code, state: asked.get('state') ?? '', iss: issuer, ...more });
    },
    close: () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
