import { and, eq } from 'drizzle-orm';
import type { Database } from '../../../db/client';
import { tutorProfiles } from '../../../db/schema/tutoring';
import { type KeyedRequest, once } from '../../../platform/idempotency';
import { appendTutorEvent } from './profile';

// Tutors who are suspended: nobody finds them, whatever they complete or price meanwhile.

/** Saga step: the tutor is unlisted for as long as this suspension lasts. Harmless where there is no such tutor. */
export async function unlistTutor(
  db: Database,
  request: KeyedRequest,
  tutorId: string,
  suspensionId: string,
): Promise<void> {
  await once(db, request, async (tx) => {
    const [before] = await tx
      .select({ listed: tutorProfiles.listed })
      .from(tutorProfiles)
      .where(eq(tutorProfiles.id, tutorId))
      .for('update');
    await tx.update(tutorProfiles).set({ suspendedBy: suspensionId }).where(eq(tutorProfiles.id, tutorId));
    if (before?.listed) await appendTutorEvent(tx, 'TutorUnlisted', tutorId);
    return { status: 204, body: undefined };
  });
}

/** Saga step: the suspension is over. A later one that began meanwhile goes on. */
export async function relistTutor(
  db: Database,
  request: KeyedRequest,
  tutorId: string,
  suspensionId: string,
): Promise<void> {
  await once(db, request, async (tx) => {
    await tx
      .update(tutorProfiles)
      .set({ suspendedBy: null })
      .where(and(eq(tutorProfiles.id, tutorId), eq(tutorProfiles.suspendedBy, suspensionId)));
    return { status: 204, body: undefined };
  });
}
