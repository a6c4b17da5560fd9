import {
  generateAuthenticationOptions,
  generateRegistrationOptions,
  verifyAuthenticationResponse,
  verifyRegistrationResponse,
} from '@simplewebauthn/server';
import { MINUTE } from '../../kernel/time';
import type { AssertedCredential, CreatedCredential } from './contract';
import { CHALLENGE_MINUTES } from './rules';

// Passkeys (Web Authentication, https://www.w3.org/TR/webauthn-3/). They come beside a password, so that they need not tell who touches them.

/** To whom passkeys belong: `id` is the host name of the platform, `origin` where its pages are. */
export interface RelyingParty {
  id: string;
  origin: string;
}

/** The one of a platform whose clients reach it at `publicUrl`. */
export function relyingParty(publicUrl: string): RelyingParty {
  const { hostname, origin } = new URL(publicUrl);
  return { id: hostname, origin };
}

/** A passkey as it is stored. */
export interface StoredPasskey {
  /** Base64url, as its authenticator says it. */
  credentialId: string;
  /** COSE, base64url. */
  publicKey: string;
  /** How often it has signed, where its authenticator counts. */
  counter: number;
  transports: string[];
}

const hintsOf = (passkeys: readonly StoredPasskey[]) =>
  passkeys.map(({ credentialId: id, transports }) => ({ id, transports }));

/** What a browser makes a passkey by. Those that there are make none again. */
export async function creationOptions(
  party: RelyingParty,
  user: { id: string; email: string },
  passkeys: readonly StoredPasskey[],
) {
  return generateRegistrationOptions({
    ...{ rpName: 'TutorConnect', rpID: party.id, userName: user.email, userID: new TextEncoder().encode(user.id) },
    ...{ attestationType: 'none', timeout: CHALLENGE_MINUTES * MINUTE, excludeCredentials: hintsOf(passkeys) },
    authenticatorSelection: { residentKey: 'discouraged', userVerification: 'discouraged' },
  });
}

/** What a browser has one of the passkeys sign. */
export async function requestOptions(party: RelyingParty, passkeys: readonly StoredPasskey[]) {
  return generateAuthenticationOptions({
    ...{ rpID: party.id, timeout: CHALLENGE_MINUTES * MINUTE, allowCredentials: hintsOf(passkeys) },
    userVerification: 'discouraged',
  });
}

/** The passkey that was made for a challenge; undefined where it was made for another one, or at another place. */
export async function createdPasskey(
  party: RelyingParty,
  challenge: string,
  { response: { transports = [], ...response }, ...credential }: CreatedCredential,
): Promise<StoredPasskey | undefined> {
  const verified = await verifyRegistrationResponse({
    response: { ...credential, response, clientExtensionResults: {} },
    ...expected(party, challenge),
  }).catch(() => undefined); // the library throws for each reason of its own
  if (!verified?.verified) return undefined;
  const { id: credentialId, publicKey, counter } = verified.registrationInfo.credential;
  return { credentialId, publicKey: Buffer.from(publicKey).toString('base64url'), counter, transports };
}

/** How often the passkey has signed by now, if it has signed the challenge; undefined where it has not, or was copied. */
export async function signedBy(
  party: RelyingParty,
  challenge: string,
  { credentialId: id, publicKey, counter }: StoredPasskey,
  credential: AssertedCredential,
): Promise<number | undefined> {
  const verified = await verifyAuthenticationResponse({
    response: { ...credential, clientExtensionResults: {} },
    credential: { id, publicKey: new Uint8Array(Buffer.from(publicKey, 'base64url')), counter },
    ...expected(party, challenge),
  }).catch(() => undefined);
  return verified?.verified ? verified.authenticationInfo.newCounter : undefined;
}

const expected = (party: RelyingParty, expectedChallenge: string) => ({
  ...{ expectedChallenge, expectedOrigin: party.origin, expectedRPID: party.id },
  requireUserVerification: false,
});
