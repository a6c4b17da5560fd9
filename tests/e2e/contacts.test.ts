import type { WorkflowHandle } from '@temporalio/client';
import { historyOf, textOf } from '../../dev/chaos/histories';
import { uuidv7 } from '../../platform/ids';
import { type DailyContactsResult, dailyContactsSchedule } from '../../workflows/daily-contacts.api';
import { createMarketplace, type Marketplace, type Person, type Tutor } from '../support/marketplace';
import { eventually, startTestPlatform, type TestPlatform } from '../support/platform';
import { runNow } from '../support/schedules';

// Where people are reached, from identity to the mail, with everything running as it is installed. Notification is alone in its process.

jest.setTimeout(180_000);

let platform: TestPlatform;
let market: Marketplace;
let student: Person;
let tutor: Tutor;
beforeAll(async () => {
  platform = await startTestPlatform({}, ['notification']);
  market = createMarketplace(platform);
  [student, tutor] = await Promise.all([market.student(), market.tutor({ instant: true })]);
});
afterAll(() => platform?.stop());

const SCHEDULE = dailyContactsSchedule.scheduleId;
const contacts = () => platform.database('notification');
const addressOf = async ({ id }: Person) =>
  (await contacts()`select email from contacts where user_id = ${id}`)[0]?.email;
const subjectsTo = async (address: string) =>
  (await platform.mails()).filter(({ recipients }) => recipients.includes(address)).map(({ subject = '' }) => subject);
const forget = (...people: Person[]) =>
  contacts()`delete from contacts where user_id = any(${people.map(({ id }) => id)})`;
const runs = async () =>
  (await platform.temporal.schedule.getHandle(SCHEDULE).describe()).info.recentActions.map(
    ({ action }) => action.workflow.workflowId,
  );

test('a person who signs up is reached from their first mail on, and the Schedule ran when it was made', async () => {
  expect(await addressOf(student)).toBe(student.email);
  await eventually('the welcome is there', async () => (await subjectsTo(student.email)).length === 1);
  const [first] = await runs();
  expect(first).toMatch(/^daily-contacts-/);
});

test('booking keeps nobody’s address, and a mail about a session goes to the address of today', async () => {
  const { status, body } = await market.book({ student, tutor });
  expect(status).toBe(201);
  await eventually('it is told', async () => (await subjectsTo(student.email)).some((line) => /^Confirmed/.test(line)));
  const [kept] = await platform.database('booking')`
    select student_email, tutor_email from booking_snapshots where booking_id = ${body.id}`;
  expect(kept).toEqual({ student_email: '', tutor_email: '' });
  const today = `${uuidv7()}@person.example`;
  await platform.database('identity')`update users set email = ${today}, updated_at = now() where id = ${student.id}`;
  expect(await runNow<DailyContactsResult>(platform, dailyContactsSchedule)).toMatchObject({
    changed: expect.any(Number),
  });
  expect(await addressOf(student)).toBe(today);
  expect((await market.cancel(student, String(body.id))).status).toBe(200);
  await eventually('the cancel is told', async () => (await subjectsTo(today)).some((line) => /^Cancelled/.test(line)));
  expect((await subjectsTo(student.email)).filter((line) => /^Cancelled/.test(line))).toEqual([]);
});

test('who signed up before is filled in, once, however many runs there are, and no history names anybody', async () => {
  const people = await market.students(3);
  await forget(...people);
  const { workflowType, taskQueue } = dailyContactsSchedule;
  const atOnce = [1, 2, 3].map((number) => `${SCHEDULE}-beside-${number}`);
  await Promise.all(
    atOnce.map((workflowId) => platform.temporal.workflow.execute(workflowType, { workflowId, taskQueue })),
  );
  const known = await contacts()`select 1 from contacts where user_id = any(${people.map(({ id }) => id)})`;
  expect(known).toHaveLength(people.length);
  expect(await runNow<DailyContactsResult>(platform, dailyContactsSchedule)).toMatchObject({ changed: 0 });
  const words = [...people, student, tutor].flatMap(({ email, firstName, lastName }) => [email, firstName, lastName]);
  for (const workflowId of [...(await runs()), ...atOnce]) {
    const text = textOf(await historyOf(platform.temporal, workflowId));
    for (const word of words) expect(text).not.toContain(word);
  }
});

test('while notification is away the run waits, and fills in everybody when it is back', async () => {
  await forget(student, tutor);
  const { workflowType, taskQueue } = dailyContactsSchedule;
  let run: WorkflowHandle | undefined;
  await platform.without('notification', async () => {
    run = await platform.temporal.workflow.start(workflowType, { workflowId: `${SCHEDULE}-waits`, taskQueue });
    await eventually('its page was tried', async () => {
      const { pendingActivities } = (await run?.describe())?.raw ?? {};
      return pendingActivities?.some(({ attempt }) => Number(attempt) > 1);
    });
  });
  expect(await run?.result()).toMatchObject({ changed: 2 });
  expect(await addressOf(tutor)).toBe(tutor.email);
});

test('somebody of whom notification has heard nothing is told all the same, by who tells them', async () => {
  const other = await market.student();
  await forget(other);
  expect((await market.book({ student: other, tutor })).status).toBe(201);
  await eventually('it is told', async () => (await subjectsTo(other.email)).some((line) => /^Confirmed/.test(line)));
  expect(await addressOf(other)).toBe(other.email);
});
