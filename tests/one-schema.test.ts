import type { z } from 'zod';
import { uuidv7 } from '../platform/ids';
import { bookingContract } from '../services/booking/contract';
import { identityContract } from '../services/identity/contract';
import { notificationContract } from '../services/notification/contract';
import { paymentContract } from '../services/payment/contract';
import { tutoringContract } from '../services/tutoring/contract';
import { eur, person } from './support/bookings';
import { sampleMessage } from './support/notifications';

// What one context takes from people travels to the others: none of them may refuse it.

const taken = (schema: z.ZodType, body: unknown) => {
  const { success, data, error } = schema.safeParse(body);
  return success ? data : error?.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
};

const registration = {
  email: 'ada@example.com',
  password: 'correct horse',
  role: 'tutor',
  firstName: 'Ada',
  lastName: 'Lovelace',
};
const creation = {
  subject: 'Maths',
  price: eur(4500),
  instantBooking: true,
  student: person('sam'),
  tutor: person('ada'),
};

const PEOPLE = [
  { email: 'ada@пример.рф' },
  { email: `${'a'.repeat(64)}@XN--E1AFMKFD.xn--p1ai` },
  { email: "o'brien+tutor@example.museum" },
  { firstName: 'x'.repeat(80), lastName: 'y'.repeat(80) },
  { firstName: "Anne-Marie O'Neil Jr.", lastName: '山田' },
  { timeZone: 'America/Argentina/ComodRivadavia' },
  { locale: 'ZH-hant-tw' },
  { locale: 'sl-rozaj-biske-1994' },
];

test.each(PEOPLE)('whoever registers with %j can book, be booked, have an account and be written to', (change) => {
  const user = identityContract.register.body.parse({ ...registration, ...change });
  const { email, timeZone, locale } = user;
  const name = `${user.firstName} ${user.lastName}`;
  const known = { name, email, timeZone, locale };
  const created = { ...creation, student: known, tutor: known };
  expect(taken(bookingContract.createPending.body, created)).toEqual(created);
  const account = { userId: uuidv7(), role: 'tutor', email, name };
  expect(taken(paymentContract.createAccount.body, account)).toEqual(account);
  const tutor = { userId: uuidv7(), displayName: name, timeZone };
  expect(taken(tutoringContract.createTutor.body, tutor)).toEqual(tutor);
  const message = { ...sampleMessage('booking_confirmed_student'), email, timeZone, locale, recipientName: name };
  expect(taken(notificationContract.recordNotification.body, message)).toEqual(message);
});

test.each(['https://meet.example', `https://meet.example/${'x'.repeat(2_000)}`, 'HTTPS://meet.example/größe?a=[1]#b'])(
  'the link that booking takes, notification shows: %s',
  (meetingUrl) => {
    expect(taken(bookingContract.changeBooking.body, { meetingUrl })).toEqual({ meetingUrl });
    const message = sampleMessage('booking_reminder_student', { data: { meetingUrl } });
    expect(message.data).toMatchObject({ meetingUrl });
  },
);

test('what a tutor calls themselves and their subjects can be booked and written of', () => {
  const profile = { displayName: 'x'.repeat(250), subjects: ['y'.repeat(80)] };
  expect(taken(tutoringContract.updateProfile.body, profile)).toEqual(profile);
  const [subject] = profile.subjects;
  const created = { ...creation, subject, tutor: { ...person('ada'), name: profile.displayName } };
  expect(taken(bookingContract.createPending.body, created)).toEqual(created);
  const data = { otherName: profile.displayName, subject };
  expect(sampleMessage('booking_confirmed_student', { data }).data).toMatchObject(data);
});
