import { and, eq, gt, isNull, lt, sql } from 'drizzle-orm';
import { type Database, type Transaction, theOnly } from '../../../db/client';
import { loginChallenges, passkeyRegistrations } from '../../../db/schema/identity';
import { ProblemError } from '../../../kernel/errors';
import type { AssertedCredential, LoginChallenge, SecondFactor } from '../contract';
import { type RelyingParty, requestOptions } from '../passkeys';
import { CHALLENGE_MINUTES } from '../rules';
import { hashToken, randomToken } from '../secrets';
import { storedPasskeys, takePasskey } from './passkeys';
import { type NewSession, type OpenSession, openSession, type SignInProof } from './sessions';
import { shownBy, takeCode } from './totp';
import { lockUser } from './users';

// Sign-ins whose person has shown who they are, and is still to show their second factor.

/** Has a person show their second factor. `proof` is what they have shown right before. Undefined where they have none. */
export async function challengeOf(
  db: Database,
  userId: string,
  { proof, party }: { proof: SignInProof; party: RelyingParty },
): Promise<LoginChallenge | undefined> {
  const methods = await shownBy(db, userId);
  if (methods.length === 0) return undefined;
  const known = await storedPasskeys(db, userId);
  const passkey = known.length === 0 ? undefined : await requestOptions(party, known);
  const id = randomToken();
  const stored = await db
    .insert(loginChallenges)
    .values({
      ...{ idHash: hashToken(id), userId, ...proof, passkeyChallenge: passkey?.challenge ?? null },
      expiresAt: sql`now() + make_interval(mins => ${CHALLENGE_MINUTES})`,
    })
    .returning({ expiresAt: loginChallenges.expiresAt });
  const challenge = { id, methods, expiresAt: theOnly(stored).expiresAt.toISOString() };
  return passkey ? { ...challenge, methods: [...methods, 'passkey'], passkey: { ...passkey } } : challenge;
}

/** A challenge that can still be met. */
async function findOpen(db: Database | Transaction, id: string) {
  const [found] = await db
    .select({
      userId: loginChallenges.userId,
      passwordHash: loginChallenges.passwordHash,
      identityId: loginChallenges.identityId,
      passkeyChallenge: loginChallenges.passkeyChallenge,
    })
    .from(loginChallenges)
    .where(
      and(
        eq(loginChallenges.idHash, hashToken(id)),
        isNull(loginChallenges.usedAt),
        gt(loginChallenges.expiresAt, sql`clock_timestamp()`),
      ),
    );
  return found;
}

/** By what the challenge was opened: the table's check keeps one of the two. */
function proofOf({
  passwordHash,
  identityId,
}: {
  passwordHash: string | null;
  identityId: string | null;
}): SignInProof {
  return identityId === null ? { passwordHash: String(passwordHash) } : { identityId };
}

/** Who is to meet a challenge. @throws ProblemError invalid_credentials when it is unknown, used or expired */
export async function challenged(db: Database, id: string): Promise<string> {
  const found = await findOpen(db, id);
  if (!found) throw new ProblemError('invalid_credentials', REFUSED);
  return found.userId;
}

const REFUSED = 'The code or passkey is wrong or was used already, or the sign-in has to begin anew';

/** What somebody gives to meet a challenge, and where the session is that it opens. */
export type Answer = ({ code: string } | { passkey: AssertedCredential }) &
  Pick<NewSession, 'userAgent' | 'address'> & {
    challengeId: string;
    at: Date;
    /** Opens the secret of their authenticator. */
    key: Buffer;
    party: RelyingParty;
  };

async function take(
  tx: Transaction,
  userId: string,
  answer: Answer,
  challenge: string | null,
): Promise<SecondFactor | undefined> {
  if ('code' in answer) return takeCode(tx, userId, answer);
  const { passkey, party } = answer;
  return (await takePasskey(tx, userId, { passkey, challenge, party })) ? 'passkey' : undefined;
}

/**
 * Opens the session that a challenge was in the way of. Challenge and code are spent with it, or not at all.
 * @throws ProblemError invalid_credentials, also when the password was replaced since, or the sign-in at a provider unlinked
 */
export async function meetChallenge(db: Database, answer: Answer): Promise<OpenSession> {
  const { challengeId, userAgent, address } = answer;
  const userId = await challenged(db, challengeId);
  return db.transaction(async (tx) => {
    const user = await lockUser(tx, userId);
    // Read again under the user's lock, which whoever meets a challenge holds.
    const challenge = await findOpen(tx, challengeId);
    const secondFactor = user && challenge && (await take(tx, userId, answer, challenge.passkeyChallenge));
    if (!secondFactor) throw new ProblemError('invalid_credentials', REFUSED);
    await tx
      .update(loginChallenges)
      .set({ usedAt: sql`now()` })
      .where(eq(loginChallenges.idHash, hashToken(challengeId)));
    const proof = proofOf(challenge);
    return openSession(tx, { userId, isFirst: false, proof, secondFactor, userAgent, address });
  });
}

/** Deletes challenges that nobody can meet any more. */
export async function forgetOldChallenges(db: Database): Promise<void> {
  await db.delete(loginChallenges).where(lt(loginChallenges.expiresAt, sql`now()`));
  await db.delete(passkeyRegistrations).where(lt(passkeyRegistrations.expiresAt, sql`now()`));
}
