import type { Evidence } from './reconciliation';

/** What is taken from people who are kept out no more, and sessions that another password should have ended, in sentences. */
export async function aboutAccounts(evidence: Pick<Evidence, 'database'>): Promise<string[]> {
  const [open, unlisted, frozen, survivors] = await Promise.all([
    evidence.database('identity')<{ id: string }[]>`
      select id from suspensions where ended_at is null or heard_end_at is null`,
    evidence.database('tutoring')<{ id: string }[]>`
      select id from tutor_profiles where suspended_by is not null`,
    evidence.database('payment')<{ id: string }[]>`select user_id as id from payees where frozen_by is not null`,
    evidence.database('identity')<{ id: string }[]>`
      select s.id from user_sessions s
      where s.ended_at is null and exists (
        select from events e where e.stream_id = s.user_id::text and e.occurred_at > s.created_at
        and e.type in ('UserPasswordChanged', 'UserSuspended'))`,
  ]);
  return [
    ...open.map(({ id }) => `suspension ${id} is over, and its saga has not heard so`),
    ...unlisted.map(({ id }) => `tutor ${id} is let in and cannot be found`),
    ...frozen.map(({ id }) => `payee ${id} is let in and cannot be paid out`),
    ...survivors.map(({ id }) => `session ${id} has survived another password, or that its person was kept out`),
  ];
}
