import { wrongWords } from './mails';

const notice = (key: string, template: string) => ({ business_key: key, template });

test('of a dispute each notice says what it was made to say, and nothing else', () => {
  const right: [string, string][] = [
    ['opened-inquiry', 'dispute_opened'],
    ['opened-chargeback', 'dispute_opened'],
    ['reminder-72/2026-12-07T23:59:59.000Z', 'dispute_reminder'],
    ['decided-won', 'dispute_decided'],
  ];
  expect(wrongWords(right.map(([name, template]) => notice(`dispute:a/${name}`, template)))).toEqual([]);
  for (const [name] of right) {
    const key = `dispute:a/${name}`;
    expect(wrongWords([notice(key, 'payout_failed')])).toEqual([`the mail ${key} says payout_failed`]);
  }
});

test('of a payout each notice says what it was made to say', () => {
  expect(
    wrongWords([
      notice('payout:a/waits-awaiting_onboarding', 'payout_waits'),
      notice('payout:a/completed', 'payout_completed'),
      notice('payout:a/over', 'payout_failed'),
      notice('booking:b/over', 'booking_declined_student'),
    ]),
  ).toEqual([]);
});

test.each([
  ['completed', 'payout_failed'],
  ['over', 'payout_completed'],
  ['waits-awaiting_onboarding', 'payout_failed'],
])('found: the notice “%s” says %s', (name, template) => {
  expect(wrongWords([notice(`payout:a/${name}`, template)])).toEqual([`the mail payout:a/${name} says ${template}`]);
});
