import { SAGA_STATES } from '../kernel/saga-type';
import { ACCOUNT_MAIL_STEPS } from '../workflows/account-mail';
import * as profiles from '../workflows/activity-options';
import { BOOKING_STEPS } from '../workflows/booking';
import { COMMANDS_BY_PHASE } from '../workflows/booking-commands';
import { ENDING_STEPS } from '../workflows/booking-confirmed';
import { MOVE_STEPS } from '../workflows/booking-moves';
import { EMAIL_CHANGE_STEPS } from '../workflows/email-change';
import { SUSPENSION_STEPS } from '../workflows/suspension';
import { TUTOR_ACCOUNT_STEPS } from '../workflows/tutor-account';
import { USER_CREATION_STEPS } from '../workflows/user-creation';
import { quotedIn, tableOf } from './support/markdown-tables';

// The tables of docs/sagas that repeat what the code says. What each step calls is held against replays: workflows/replay.test.ts.

const BOOKING = 'docs/sagas/booking.md';

/** A duration of Temporal's options, as the pages write it. */
function written(duration: unknown): string {
  const text = String(duration);
  if (text === '500ms') return '0.5 s';
  return text
    .replace(/ms$/, ' ms')
    .replace(/(\d)s$/, '$1 s')
    .replace(/m$/, ' min')
    .replace(/h$/, ' h')
    .replace(/d$/, ' d');
}

test('the table of timeouts and retries has every profile, with its numbers', () => {
  const rows = new Map(tableOf(BOOKING, 'Timeouts and retries').map((row) => [quotedIn(row.profile ?? '')[0], row]));
  expect([...rows.keys()].toSorted()).toEqual(Object.keys(profiles).toSorted());
  for (const [name, options] of Object.entries(profiles)) {
    const { startToCloseTimeout, retry } = options;
    const total = 'scheduleToCloseTimeout' in options ? `for ${written(options.scheduleToCloseTimeout)}` : undefined;
    const bound = retry?.maximumAttempts ? `${retry.maximumAttempts} attempts` : total;
    expect([name, rows.get(name)?.['an attempt']]).toEqual([name, written(startToCloseTimeout)]);
    if (retry?.maximumAttempts === 1) {
      expect([name, rows.get(name)?.retries]).toEqual([name, 'none: recorded when it fails']);
      continue;
    }
    const pauses = `${written(retry?.initialInterval)} × ${retry?.backoffCoefficient} up to ${written(retry?.maximumInterval)}`;
    expect([name, rows.get(name)?.retries]).toEqual([name, expect.stringContaining(`${bound}, ${pauses}`)]);
  }
});

test('the table of commands says what each phase accepts', () => {
  const phase = (name: string) =>
    ({ 'taking the payment': 'taking_payment', 'waiting for the tutor': 'awaiting_tutor' })[name] ?? name;
  const said = tableOf(BOOKING, "People's commands").map((row) => {
    const named = (row.accepts ?? '').match(/\b(?:confirm|decline|cancel|reschedule|complete)\b/g) ?? [];
    return [phase(row.phase ?? ''), [...new Set(named)].toSorted()];
  });
  const accepted = Object.entries(COMMANDS_BY_PHASE).map(([name, commands]) => [name, [...commands].toSorted()]);
  expect(Object.fromEntries(said)).toEqual(Object.fromEntries(accepted));
});

test('the table of states has every state of a saga', () => {
  const said = tableOf(BOOKING, 'States').map((row) => row['`SagaState`']);
  expect(said.toSorted()).toEqual([...SAGA_STATES].toSorted());
});

test('the table of steps has every step that is undone, with its undo, how it runs and when', () => {
  const rows = new Map(tableOf(BOOKING, 'Steps').map((row) => [quotedIn(row.step ?? '')[0], row]));
  for (const [step, { does, undo, runs, manual }] of Object.entries(BOOKING_STEPS)) {
    const row = rows.get(step);
    expect([step, quotedIn(row?.do ?? '')]).toEqual([step, expect.arrayContaining([does])]);
    expect([step, quotedIn(row?.undo ?? '')[0], row?.runs]).toEqual([step, undo, runs]);
    expect([step, row?.when === 'the tutor must confirm']).toEqual([step, manual]);
  }
});

test('the same for what is done to a confirmed booking', () => {
  const rows = new Map(tableOf(BOOKING, 'Steps').map((row) => [quotedIn(row.step ?? '')[0], row]));
  const moves = Object.entries(MOVE_STEPS).map(([step, facts]) => [`reschedule-<n>/${step}`, facts] as const);
  const endings = Object.values(ENDING_STEPS).flatMap((steps) => Object.entries(steps));
  for (const [step, { does, runs }] of [...moves, ...endings]) {
    const row = rows.get(step);
    expect([step, quotedIn(row?.do ?? '')[0]]).toEqual([step, does]);
    expect([step, row?.runs]).toEqual([step, expect.stringContaining(runs)]);
  }
  for (const [step, { undo }] of moves)
    expect([step, quotedIn(rows.get(step)?.undo ?? '')[0] ?? null]).toEqual([step, undo]);
});

test('the same for the sign-up saga', () => {
  const rows = new Map(
    tableOf('docs/sagas/user-creation.md', 'Steps').map((row) => [quotedIn(row.step ?? '')[0], row]),
  );
  for (const [step, { does, undo, runs, role }] of Object.entries(USER_CREATION_STEPS)) {
    const row = rows.get(step);
    expect([step, quotedIn(row?.do ?? '')[0] ?? null]).toEqual([step, does]);
    expect([step, quotedIn(row?.undo ?? '')[0], row?.runs]).toEqual([step, undo, runs]);
    expect([step, row?.for?.startsWith('tutors')]).toEqual([step, role === 'tutor']);
  }
});

test('the same for changes of an address', () => {
  const rows = tableOf('docs/sagas/email-change.md', 'Steps');
  for (const [step, { does, undo, runs }] of Object.entries(EMAIL_CHANGE_STEPS)) {
    const [first, after] = rows.filter((row) => quotedIn(row.step ?? '')[0] === step);
    expect([step, quotedIn(first?.do ?? '')[0], quotedIn(first?.undo ?? '')[0] ?? null]).toEqual([step, does, undo]);
    expect([step, first?.runs, after?.runs]).toEqual([step, runs, runs === 'local' ? 'recorded' : undefined]);
  }
});

test('the same for who becomes a tutor', () => {
  const rows = tableOf('docs/sagas/tutor-account.md', 'Steps');
  for (const [step, { does, undo, runs }] of Object.entries(TUTOR_ACCOUNT_STEPS)) {
    const row = rows.find((each) => quotedIn(each.step ?? '')[0] === step);
    expect([step, quotedIn(row?.do ?? '')[0]]).toEqual([step, does]);
    expect([step, quotedIn(row?.undo ?? '')[0] ?? null, row?.runs]).toEqual([step, undo, runs]);
  }
});

test('the same for suspensions, of which nothing is undone', () => {
  const rows = tableOf('docs/sagas/suspension.md', 'Steps');
  for (const [step, { does, undo, runs, for: whom }] of Object.entries(SUSPENSION_STEPS)) {
    const row = rows.find((each) => quotedIn(each.step ?? '')[0] === step);
    expect([step, quotedIn(row?.do ?? '')[0], quotedIn(row?.undo ?? '')[0] ?? null]).toEqual([step, does, undo]);
    expect([step, row?.runs, row?.for]).toEqual([step, `${runs}, until done`, whom]);
  }
});

test('the same for account mails, of which nothing is undone', () => {
  const rows = tableOf('docs/sagas/account-mail.md', 'Steps');
  for (const [step, { does, undo, runs }] of Object.entries(ACCOUNT_MAIL_STEPS)) {
    const [first, after] = rows.filter((row) => quotedIn(row.step ?? '')[0] === step);
    expect([step, quotedIn(first?.do ?? '')[0], quotedIn(first?.undo ?? '')[0] ?? null]).toEqual([step, does, undo]);
    expect([step, first?.runs, after?.runs]).toEqual([step, runs, 'recorded']);
  }
});
