import { sampleMail, TEMPLATES } from '../../../tests/support/notifications';
import type { TemplateName } from '../contract';
import { readerFor, singleLine } from './format';

const PUBLIC_URL = 'https://tutorconnect.example';
const rendered = (template: TemplateName, change: Parameters<typeof sampleMail>[2] = {}) =>
  sampleMail(template, PUBLIC_URL, change);

/** A welcome goes to an address that nobody has proved, and names nobody. */
const nameIn = (template: TemplateName, name: string) => (template === 'welcome_verify_email' ? '' : ` ${name}`);

const attributeValues = (html: string, name: string) =>
  [...html.matchAll(new RegExp(`${name}="([^"]*)"`, 'g'))].map((match) => match[1]?.replaceAll('&#x3D;', '=') ?? '');

describe.each(TEMPLATES)('%s', (template) => {
  const mail = rendered(template);

  test('has a subject, an HTML and a text form, each with the one place to go to', () => {
    const [link] = attributeValues(mail.html, 'href').filter(
      (href) => !href.startsWith('https://meet.example/') || template.includes('reminder'),
    );
    expect(link).toMatch(/^https:\/\//);
    expect(mail.subject.length).toBeGreaterThan(10);
    expect(mail.html).toMatch(/^<!doctype html>/);
    expect(mail.text).toContain(`Hello${nameIn(template, 'Grace Hopper')},`);
    expect(mail.text).toContain(link?.replaceAll('&amp;', '&'));
  });

  test('leaves no placeholder, no undefined and no empty paragraph', () => {
    for (const form of [mail.subject, mail.html, mail.text, mail.message]) {
      expect(form).not.toMatch(/\{\{|\}\}|undefined|\[object|NaN|Invalid Date/);
    }
    expect(mail.html).not.toMatch(/<p[^>]*>\s*<\/p>/);
    expect(mail.text).not.toMatch(/\n{4}/);
  });

  test('tells a screen reader its language, its title and which tables are only layout', () => {
    expect(mail.html).toContain('<html lang="en">');
    expect(mail.html).toMatch(/<title>[^<]+<\/title>/);
    expect(mail.html.match(/<h1/g)).toHaveLength(1);
    for (const [table] of mail.html.matchAll(/<table[^>]*>(?:(?!<table)[\s\S])*?<t[hd]/g))
      expect(table.includes('role="presentation"')).toBe(!table.endsWith('<th'));
  });

  test('keeps nothing for the in-app list that could be used to get in', () => {
    expect(`${mail.title} ${mail.message}`).not.toMatch(/https?:|token/);
  });

  test('shows what people typed as text, in every place', () => {
    const typed = `<img src=x onerror="alert(1)">&'{{price}}`;
    const hostile = rendered(template, {
      recipientName: typed,
      data: {
        ...(template.startsWith('booking_') && { subject: typed, otherName: typed }),
        ...(/^(payment|refund)/.test(template) && { description: typed }),
        ...(template.startsWith('payment_') && { otherName: typed }),
      },
    });
    expect(hostile.html).not.toContain('<img');
    const escaped = '&lt;img src&#x3D;x onerror&#x3D;&quot;alert(1)&quot;&gt;&amp;&#x27;{{price}}';
    expect(hostile.html).toContain(`Hello${nameIn(template, escaped)},`);
    expect(hostile.text).toContain(`Hello${nameIn(template, typed)},`);
    if (template.startsWith('booking_')) expect(hostile.subject).toContain(typed);
  });

  test('stays on one line where a header or a sentence is, whatever breaks a name has', () => {
    const typed = 'Eve\r\nBcc: all@example.com\u2028\u202eX\u0000Y';
    const hostile = rendered(template, {
      recipientName: typed,
      data: {
        ...(template.startsWith('booking_') && { subject: typed, otherName: typed }),
        ...(template.startsWith('payment_') && { otherName: typed, description: typed }),
      },
    });
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    const breaks = /[\u0000-\u001f\u2028\u2029\u202e]/;
    for (const line of [hostile.subject, hostile.name, hostile.title, hostile.message])
      expect(line).not.toMatch(breaks);
    expect(hostile.text).toContain(`Hello${nameIn(template, 'Eve Bcc: all@example.com X Y')},`);
  });
});

describe('times and money', () => {
  // Punctuation between the parts differs between versions of Unicode's locale data, so the parts are looked for.
  test.each([
    ['Europe/Berlin', 'en-GB', ['Monday', '4 March 2030', '10:00 CET'], '€45.00'],
    ['America/New_York', 'en-US', ['Monday', 'March 4 2030', '4:00 AM EST'], '€45.00'],
    ['Europe/Berlin', 'de-DE', ['Montag', '4. März 2030', '10:00 MEZ'], '45,00 €'],
    ['Asia/Kolkata', 'en-IN', ['Monday', '4 March 2030', '2:30 pm IST'], '€45.00'],
  ])('are shown as a reader in %s with %s expects them', (timeZone, locale, parts, price) => {
    const { html, text } = rendered('booking_confirmed_student', { timeZone, locale });
    const lines = text.replaceAll(/[\u00a0\u202f]/g, ' ').split('\n');
    const when = lines.find((line) => line.startsWith('When: '))?.replaceAll(',', '');
    for (const part of parts) expect(when).toContain(part);
    for (const part of parts) expect(html.replaceAll(/[\u00a0\u202f]/g, ' ').replaceAll(',', '')).toContain(part);
    expect(lines).toContain(`Time zone: ${timeZone}`);
    expect(lines).toContain(`Price: ${price}`);
  });

  test('tell the two hours apart when a clock is set back', () => {
    const at = (startsAt: string) => readerFor('en-GB', 'Europe/Berlin').when(startsAt);
    expect(at('2030-10-27T00:30:00.000Z')).toContain('02:30 CEST');
    expect(at('2030-10-27T01:30:00.000Z')).toContain('02:30 CET');
  });

  test('have the number of decimals of their currency', () => {
    const { money } = readerFor('en-GB', 'UTC');
    expect(money({ amount: 4500, currency: 'JPY' })).toBe('JP¥4,500');
    expect(money({ amount: 4500, currency: 'KWD' })).toMatch(/^KWD.4\.500$/);
    expect(money({ amount: 1, currency: 'USD' })).toBe('US$0.01');
    // Intl by itself would show these without decimals, and a hundred times as much.
    for (const currency of ['HUF', 'IDR', 'PKR', 'COP', 'ALL', 'MGA', 'LAK', 'RSD', 'TWD'])
      expect(money({ amount: 450_050, currency })).toMatch(/^\D+4,500\.50$/);
    expect(money({ amount: 4_500_500, currency: 'IQD' })).toMatch(/^IQD.4,500\.500$/);
    expect(money({ amount: 4500, currency: 'ISK' })).toMatch(/^ISK.4,500$/);
    expect(money({ amount: 4500, currency: 'UGX' })).toMatch(/^UGX.4,500$/);
    expect(money({ amount: 99_999_999, currency: 'EUR' })).toBe('€999,999.99');
  });

  test.each(['Mars/Olympus', '', '+25:99'])('in a zone that does not exist (%j) are shown as UTC', (timeZone) => {
    const reader = readerFor('en-GB', timeZone);
    expect(reader.zone).toBe('UTC');
    expect(reader.when('2030-03-04T09:00:00Z')).toContain('09:00 UTC');
  });

  test.each(['no_such_locale', '', '??'])('in a locale that does not exist (%j) are shown in English', (locale) => {
    expect(readerFor(locale, 'UTC').when('2030-03-04T09:00:00Z')).toMatch(/^Monday,? 4 March 2030.* 09:00 UTC$/);
  });
});

describe('words', () => {
  const cancelled = (cancelledBy: string, refund: unknown) =>
    rendered('booking_cancelled_student', { data: { cancelledBy, refund } });

  test.each([
    ['student', 'You cancelled your Mathematics session with Ada Lovelace on'],
    ['tutor', 'Ada Lovelace cancelled your Mathematics session with you on'],
    ['operator', 'Our team cancelled your Mathematics session with Ada Lovelace on'],
  ])('tell the student that the %s cancelled', (by, sentence) => {
    expect(cancelled(by, null).message).toContain(sentence);
  });

  test.each([
    ['student', 'Ada Lovelace cancelled the Mathematics session on'],
    ['tutor', 'You cancelled the Mathematics session with Ada Lovelace on'],
    ['operator', 'Our team cancelled the Mathematics session with Ada Lovelace on'],
  ])('tell the tutor that the %s cancelled', (cancelledBy, sentence) => {
    expect(rendered('booking_cancelled_tutor', { data: { cancelledBy } }).message).toContain(sentence);
  });

  test.each([
    ['platform_unavailable', 'because of a technical problem on our side', 'You can book it again.'],
    ['payment_declined', 'because the bank did not accept the payment', 'book it again with another card'],
    ['payment_expired', 'because the payment was not confirmed with the bank in time', 'You can book it again.'],
    ['slot_unavailable', 'because its time is no longer free', 'You can book another time.'],
  ])(
    'name nobody as having cancelled what ended by %s, but why, that nothing is charged, and what to do',
    (...given) => {
      const [because, why, advice] = given;
      const [student, tutor] = (['booking_failed_student', 'booking_failed_tutor'] as const).map((template) =>
        rendered(template, { data: { because } }),
      );
      expect(student?.message).toMatch(/^Your Mathematics session with Ada Lovelace on .* could not be booked /);
      expect(tutor?.message).toMatch(/^The Mathematics session with Ada Lovelace on .* could not be booked /);
      for (const mail of [student, tutor]) {
        expect(mail?.message).toContain(` ${why}.`);
        expect(`${mail?.subject} ${mail?.text}`).not.toMatch(/cancel|our team/i);
      }
      expect(student?.text).toContain('You are not charged: any amount reserved on your card is released');
      expect(student?.text).toContain(advice);
    },
  );

  test('say what is given back, that nothing is due, or that there was nothing', () => {
    const eur = (amount: number) => ({ amount, currency: 'EUR' });
    expect(cancelled('student', eur(2250)).text).toContain('€22.50 goes back to the card');
    expect(cancelled('student', eur(0)).text).toContain('no refund is due');
    expect(cancelled('student', null).text).toContain('There is nothing to refund.');
  });

  test.each([
    [{ percent: 100, before: 'nothing' }, 'All of what you paid goes back to the card'],
    [{ percent: 50, before: 'nothing' }, 'Under the cancellation terms 50 % of what you paid goes back to the card'],
    [{ percent: 0, before: 'nothing' }, 'Under the cancellation terms nothing of what you paid is given back.'],
    [{ percent: 50, before: 'some' }, '50 % of what was not given back to you before goes back'],
    [{ percent: 0, before: 'everything' }, 'Everything you paid was given back to you before.'],
    [{ percent: 100, before: 'everything' }, 'Everything you paid was given back to you before.'],
  ])('say which share a cancel gives back: %j', (terms, sentence) => {
    const data = { cancelledBy: 'student', refund: null, terms };
    const { text } = rendered('booking_cancelled_student', { data });
    expect(text).toContain(sentence);
    expect(text).not.toMatch(/nothing to refund|no refund is due/);
  });

  test('count one hour and several', () => {
    expect(rendered('booking_reminder_tutor').subject).toBe('In 1 hour: Mathematics with Ada Lovelace');
    expect(rendered('booking_reminder_student').subject).toBe('In 24 hours: Mathematics with Ada Lovelace');
  });

  test('ask a tutor for the meeting link while there is none', () => {
    const without = { data: { meetingUrl: null } };
    expect(rendered('booking_confirmed_tutor', without).text).toContain('add the meeting link');
    expect(rendered('booking_confirmed_tutor').text).not.toContain('add the meeting link');
    expect(rendered('booking_reminder_tutor', without).text).toContain('has no meeting link yet');
  });

  test('show the meeting link only for a session that is to be held', () => {
    const withLink = TEMPLATES.filter((template) =>
      rendered(template).text.includes('Meeting: https://meet.example/room'),
    );
    expect(withLink).toEqual(
      TEMPLATES.filter((template) => /^booking_(confirmed|rescheduled|reminder)/.test(template)),
    );
  });

  test('mention the settings only where a message can be switched off', () => {
    const withChoice = TEMPLATES.filter((template) => rendered(template).text.includes('notification settings'));
    expect(withChoice.sort()).toEqual([
      'booking_completed_student',
      'booking_reminder_student',
      'booking_reminder_tutor',
    ]);
  });
});

describe('the button', () => {
  const BOOKING = `${PUBLIC_URL}/bookings/0199f1aa-0000-7000-8000-000000000001`;
  test.each([
    ['booking_confirmed_student', {}, BOOKING],
    ['booking_completed_student', {}, `${BOOKING}/review`],
    ['booking_reminder_student', {}, 'https://meet.example/room'],
    ['booking_reminder_student', { meetingUrl: null }, BOOKING],
    ['payment_receipt', {}, `${PUBLIC_URL}/payments/0199f1aa-0000-7000-8000-000000000002`],
    ['refund_returned', {}, `${PUBLIC_URL}/payments/0199f1aa-0000-7000-8000-000000000002`],
    ['refund_succeeded', { bookingId: '0199f1aa-0000-7000-8000-000000000001' }, BOOKING],
    ['welcome_verify_email', {}, 'https://tutorconnect.example/verify?token=abc&x=1'],
    ['verify_email', {}, 'https://tutorconnect.example/verify?token=abc&x=1'],
    ['password_reset', {}, 'https://tutorconnect.example/reset?token=abc'],
    ['password_changed', {}, 'https://tutorconnect.example/api/auth/forgot'],
    ['second_factor_added', {}, 'https://tutorconnect.example/api/auth/forgot'],
    ['second_factor_removed', {}, 'https://tutorconnect.example/api/auth/forgot'],
    ['passkey_added', {}, 'https://tutorconnect.example/api/auth/forgot'],
    ['passkey_removed', {}, 'https://tutorconnect.example/api/auth/forgot'],
    ['role_changed', {}, `${PUBLIC_URL}/account`],
  ] as const)('of %s %j leads to %s', (template, data, url) => {
    const { html, text } = rendered(template, { data });
    expect(text).toContain(`:\n${url}\n`);
    expect(attributeValues(html, 'href').map((href) => href.replaceAll('&amp;', '&'))).toContain(url);
  });
});

test('text on one line keeps letters of every script and emoji', () => {
  expect(singleLine('  Zoë\t李\n\n👩🏽‍🏫 ')).toBe('Zoë 李 👩🏽‍🏫');
  expect(singleLine('\ud800x')).toBe('\ufffdx');
});
