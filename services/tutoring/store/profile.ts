import { and, eq, isNull, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../../../db/client';
import { certifications, education, tutorAvailability, tutorProfiles } from '../../../db/schema/tutoring';
import { ProblemError } from '../../../kernel/errors';
import { recordAct } from '../../../platform/audit';
import { type KeyedRequest, once, type UndoRequest, undoOnce } from '../../../platform/idempotency';
import { uuidv7 } from '../../../platform/ids';
import { appendEvent } from '../../../platform/outbox';
import type { Availability, Certification, CertificationBody, ProfileBody, ProfilePatch, Tutor } from '../contract';
import { PROFILE_FIELDS, tutoringEvents } from '../events';
import { minutesOf } from '../rules/hours';
import { indexedWords, searchKey } from '../rules/search';
import { readAnyTutor, readTutor } from './reads';

/** More than anybody shows; keeps a reply small. */
const MOST_CERTIFICATIONS = 50;

/**
 * Locks the tutor until the transaction ends. Every change of a tutor's data begins with this lock, so changes of one
 * tutor follow each other and cannot deadlock.
 * @throws ProblemError not_found
 */
export async function lockTutor(tx: Transaction, id: string): Promise<{ timeZone: string; completedAt: Date | null }> {
  const [row] = await tx
    .select({ timeZone: tutorProfiles.timeZone, completedAt: tutorProfiles.completedAt })
    .from(tutorProfiles)
    .where(eq(tutorProfiles.id, id))
    .for('update');
  if (!row) throw new ProblemError('not_found', 'There is no such tutor');
  return row;
}

/** Makes the empty profile of a new user, with the user's id. A profile that is there stays as it is. */
export async function createTutor(
  db: Database,
  request: KeyedRequest,
  user: { userId: string; displayName: string; timeZone: string },
): Promise<{ id: string }> {
  const { userId: id, displayName, timeZone } = user;
  const reply = await once(db, request, async (tx) => {
    const search = lexemes([displayName]);
    const made = await tx
      .insert(tutorProfiles)
      .values({ id, displayName, timeZone, search })
      .onConflictDoNothing()
      .returning({ id: tutorProfiles.id });
    if (made.length > 0) {
      await appendTutorEvent(tx, 'TutorRegistered', id);
    }
    return { status: 201, body: { id } };
  });
  return reply.body;
}

/** Undoes {@link createTutor}. A profile that was completed meanwhile is no longer sign-up's to remove. */
export async function removeTutor(db: Database, request: UndoRequest, id: string): Promise<void> {
  await undoOnce(db, request, async (tx) => {
    const removed = await tx
      .delete(tutorProfiles)
      .where(and(eq(tutorProfiles.id, id), isNull(tutorProfiles.completedAt)))
      .returning({ id: tutorProfiles.id });
    if (removed.length > 0) await appendTutorEvent(tx, 'TutorRemoved', id);
    return { status: 204, body: undefined };
  });
}

/** Completes the empty profile. @throws ProblemError profile_exists; not_found when sign-up made none */
export async function createProfile(
  db: Database,
  request: KeyedRequest | undefined,
  id: string,
  profile: ProfileBody,
): Promise<Tutor> {
  const reply = await once(db, request, async (tx) => {
    const { completedAt } = await lockTutor(tx, id);
    if (completedAt) throw new ProblemError('profile_exists');
    await writeProfile(tx, id, profile);
    await tx.update(tutorProfiles).set({ completedAt: sql`now()` }).where(eq(tutorProfiles.id, id));
    const { instantBooking } = profile;
    await appendEvent(tx, tutoringEvents, {
      streamId: id,
      type: 'TutorProfileCreated',
      data: { tutorId: id, participantIds: [id], instantBooking },
    });
    return { status: 201, body: await readAnyTutor(tx, id) };
  });
  return reply.body;
}

/** Changes the given fields, of an empty profile too. @throws ProblemError not_found */
export async function updateProfile(
  db: Database,
  request: KeyedRequest | undefined,
  id: string,
  patch: ProfilePatch,
): Promise<Tutor> {
  const reply = await once(db, request, async (tx) => {
    await lockTutor(tx, id);
    if (Object.keys(patch).length > 0) {
      await writeProfile(tx, id, patch);
      await appendEvent(tx, tutoringEvents, {
        streamId: id,
        type: 'TutorProfileUpdated',
        data: { tutorId: id, participantIds: [id], fields: PROFILE_FIELDS.filter((field) => field in patch) },
      });
    }
    return { status: 200, body: await readAnyTutor(tx, id) };
  });
  return reply.body;
}

async function writeProfile(tx: Transaction, id: string, patch: ProfilePatch): Promise<void> {
  const profile = { ...(await readAnyTutor(tx, id)), ...patch };
  const { displayName, headline, biography, languages, timeZone, instantBooking, subjects } = profile;
  await tx
    .update(tutorProfiles)
    .set({
      displayName,
      headline,
      biography,
      languages,
      languageKeys: languages.map(searchKey),
      subjects,
      subjectKeys: subjects.map(searchKey),
      timeZone,
      instantBooking,
      search: lexemes([displayName, headline, biography, ...subjects]),
      updatedAt: sql`now()`,
    })
    .where(eq(tutorProfiles.id, id));
  if (patch.education) {
    await tx.delete(education).where(eq(education.tutorId, id));
    const rows = patch.education.map((entry, position) => ({ tutorId: id, position, ...entry }));
    if (rows.length > 0) await tx.insert(education).values(rows);
  }
}

/** A tsvector of exactly these words: the parser of Postgres, which depends on its locale, has no say. */
function lexemes(texts: string[]) {
  return sql`array_to_tsvector(string_to_array(${indexedWords(texts.join(' ')).join(' ')}, ' '))`;
}

/** Replaces the hours. Slots that are held or booked stay. @throws ProblemError not_found */
export async function setAvailability(
  db: Database,
  request: KeyedRequest | undefined,
  tutorId: string,
  hours: Availability,
): Promise<Availability> {
  const { timeZone, weekly, exceptions } = hours;
  const days = [...weekly, ...exceptions];
  const reply = await once(db, request, async (tx) => {
    await lockTutor(tx, tutorId);
    await tx.delete(tutorAvailability).where(eq(tutorAvailability.tutorId, tutorId));
    const rows = days.map((day, position) => ({
      tutorId,
      position,
      ...('weekday' in day ? { weekday: day.weekday } : { date: day.date }),
      ...('from' in day && { fromMinute: minutesOf(day.from), toMinute: minutesOf(day.to) }),
    }));
    if (rows.length > 0) await tx.insert(tutorAvailability).values(rows);
    await tx
      .update(tutorProfiles)
      .set({ timeZone, hasHours: days.some((day) => 'from' in day), updatedAt: sql`now()` })
      .where(eq(tutorProfiles.id, tutorId));
    await appendTutorEvent(tx, 'TutorAvailabilityUpdated', tutorId);
    return { status: 200, body: hours };
  });
  return reply.body;
}

/** Tells what can be told of a locked tutor in one word. */
export async function appendTutorEvent(
  tx: Transaction,
  type: 'TutorRegistered' | 'TutorRemoved' | 'TutorAvailabilityUpdated' | 'TutorUnlisted',
  tutorId: string,
): Promise<void> {
  await appendEvent(tx, tutoringEvents, { streamId: tutorId, type, data: { tutorId, participantIds: [tutorId] } });
}

/** Makes a new version of the profile's row when only what hangs on it has changed: searches look at that version alone. */
async function touchProfile(tx: Transaction, id: string): Promise<void> {
  await tx.update(tutorProfiles).set({ updatedAt: sql`now()` }).where(eq(tutorProfiles.id, id));
}

/** Adds a certification. @throws ProblemError not_found when there is no profile; conflict when there are too many */
export async function addCertification(
  db: Database,
  request: KeyedRequest | undefined,
  tutorId: string,
  body: CertificationBody,
): Promise<Certification> {
  const reply = await once(db, request, async (tx) => {
    await lockTutor(tx, tutorId);
    if ((await tx.$count(certifications, eq(certifications.tutorId, tutorId))) >= MOST_CERTIFICATIONS)
      throw new ProblemError('conflict', `A tutor has at most ${MOST_CERTIFICATIONS} certifications`);
    const { issuedOn = null, expiresOn = null, credentialUrl = null, ...named } = body;
    const certification = { id: uuidv7(), ...named, issuedOn, expiresOn, credentialUrl };
    await tx.insert(certifications).values({ tutorId, ...certification });
    await touchProfile(tx, tutorId);
    await appendEvent(tx, tutoringEvents, {
      streamId: tutorId,
      type: 'TutorCertificationAdded',
      data: { tutorId, participantIds: [tutorId], certificationId: certification.id },
    });
    return { status: 201, body: certification };
  });
  return reply.body;
}

/** Removes a certification. @throws ProblemError not_found, also for another tutor's certification */
export async function removeCertification(
  db: Database,
  request: KeyedRequest | undefined,
  tutorId: string,
  certificationId: string,
): Promise<void> {
  await once(db, request, async (tx) => {
    await lockTutor(tx, tutorId);
    const removed = await tx
      .delete(certifications)
      .where(and(eq(certifications.id, certificationId), eq(certifications.tutorId, tutorId)))
      .returning({ id: certifications.id });
    if (removed.length === 0) throw new ProblemError('not_found', 'There is no such certification');
    await touchProfile(tx, tutorId);
    await appendEvent(tx, tutoringEvents, {
      streamId: tutorId,
      type: 'TutorCertificationRemoved',
      data: { tutorId, participantIds: [tutorId], certificationId },
    });
    return { status: 204, body: undefined };
  });
}

/** Marks a tutor who completed their profile as verified; once is enough. @throws ProblemError not_found */
export async function verifyTutor(
  db: Database,
  request: KeyedRequest | undefined,
  tutorId: string,
  { adminId, reason }: { adminId: string; reason: string },
): Promise<Tutor> {
  const reply = await once(db, request, async (tx) => {
    await lockTutor(tx, tutorId);
    const tutor = await readTutor(tx, tutorId);
    if (tutor.verified) return { status: 200, body: tutor };
    await tx.update(tutorProfiles).set({ verifiedAt: sql`now()` }).where(eq(tutorProfiles.id, tutorId));
    await recordAct(tx, {
      ...{ adminId, act: 'tutor_verified', subject: { type: 'user', id: tutorId }, reason },
      ...{ before: { verified: false }, after: { verified: true } },
    });
    await appendEvent(tx, tutoringEvents, {
      streamId: tutorId,
      type: 'TutorVerified',
      data: { tutorId, participantIds: [tutorId], verifiedBy: adminId },
    });
    return { status: 200, body: { ...tutor, verified: true } };
  });
  return reply.body;
}
