import { ProblemError } from '../../kernel/errors';
import { DAY, MINUTE } from '../../kernel/time';
import { uuidv7 } from '../../platform/ids';
import type { Reply, TestService } from './service';

/** Monday to Sunday, day and night. */
export const ALWAYS = [1, 2, 3, 4, 5, 6, 7].map((weekday) => ({ weekday, from: '00:00', to: '24:00' }));

export const PROFILE = {
  headline: 'Calculus without fear',
  biography: 'Ten years of teaching at school and university.',
  subjects: ['Mathematics', 'Physics'],
  languages: ['en', 'de'],
  timeZone: 'Europe/Berlin',
  instantBooking: true,
};

export interface TutorFacts {
  id?: string;
  displayName?: string;
  profile?: Partial<typeof PROFILE>;
  /** Undefined leaves the hours unset. */
  weekly?: { weekday: number; from: string; to: string }[];
  exceptions?: Record<string, unknown>[];
  /** Hourly price in cents; undefined sets no prices. */
  hourly?: number;
}

export interface TestTutor {
  id: string;
  token: string;
}

/** A tutor as sign-up leaves them: an empty profile and a token. */
export async function newTutor(service: TestService, facts: TutorFacts = {}): Promise<TestTutor> {
  const id = facts.id ?? uuidv7();
  const { displayName = 'Tina Tutor' } = facts;
  const body = { userId: id, displayName, timeZone: 'Europe/Berlin' };
  const reply = await service.internal('POST', '/internal/tutors', { key: `user:${id}/tutor-profile`, body });
  if (reply.status !== 201) throw new Error(`the profile was not made: ${JSON.stringify(reply.body)}`);
  return { id, token: await service.userToken({ id, role: 'tutor' }) };
}

/** A tutor that can be found and booked, unless `facts` leave something out. */
export async function listedTutor(
  service: TestService,
  facts: TutorFacts = { weekly: ALWAYS, hourly: 4500 },
): Promise<TestTutor> {
  const tutor = await newTutor(service, facts);
  const profile = { ...PROFILE, ...facts.profile };
  const put = async (method: string, path: string, body: unknown) => {
    const reply = await service.ask(method, path, { token: tutor.token, body });
    if (reply.status >= 300) throw new Error(`${path}: ${JSON.stringify(reply.body)}`);
  };
  await put('POST', '/api/tutors/profile', profile);
  const { weekly, exceptions = [], hourly } = facts;
  if (weekly) await put('PUT', '/api/tutors/availability', { timeZone: profile.timeZone, weekly, exceptions });
  if (hourly) {
    const options = [{ kind: 'hourly', price: { amount: hourly, currency: 'EUR' } }];
    await put('PUT', '/api/tutors/pricing', { options });
  }
  return tutor;
}

/** The codes and paths of a refusal. */
export function refusal(work: () => unknown): { code: string; paths: string[] } | undefined {
  try {
    work();
  } catch (error) {
    if (error instanceof ProblemError)
      return { code: error.code, paths: (error.more.errors ?? []).map(({ path }) => path) };
    throw error;
  }
  return undefined;
}

/** The fields that are wrong; one may be wrong in two ways. */
export const paths = (reply: Reply): string[] => [
  ...new Set<string>(reply.body.errors.map(({ path }: { path: string }) => path)),
];

/** An id that nobody has. */
export const nowhere = '0199c0de-0000-7000-8000-00000000dead';

/** Asks `service` as a tutor. */
export const asTutor =
  (service: () => TestService) =>
  (tutor: TestTutor, method: string, path: string, body?: unknown, key?: string): Promise<Reply> =>
    service().ask(method, path, { token: tutor.token, ...(body !== undefined && { body }), ...(key && { key }) });

/** A Monday at 00:00 UTC, at least ten days from now. */
const monday = Math.ceil((Date.now() + 10 * DAY - 4 * DAY) / (7 * DAY)) * 7 * DAY + 4 * DAY;
/** The instant that is `minutes` after the start of that Monday. */
export const on = (minutes: number) => new Date(monday + minutes * MINUTE).toISOString();
/** A tutor who can be booked on Mondays from 09:00 to 12:00 UTC. */
export const utcHours: TutorFacts = {
  hourly: 4500,
  profile: { timeZone: 'UTC' },
  weekly: [{ weekday: 1, from: '09:00', to: '12:00' }],
};
