import type { MailCatcher } from '../../../dev/mail';
import { ProblemError } from '../../../kernel/errors';
import { uuidv7 } from '../../../platform/ids';
import { startTestCatcher } from '../../../tests/support/mail';
import { deliverBy, sampleMessage } from '../../../tests/support/notifications';
import { startTestService, type TestService } from '../../../tests/support/service';
import { notificationService } from '.';
import { inboxCursor } from './people';

const PUBLIC_URL = 'https://tutorconnect.example';

let catcher: MailCatcher;
let service: TestService;
beforeAll(async () => {
  catcher = await startTestCatcher();
  service = await startTestService(notificationService, { environment: { SMTP_URL: catcher.smtpUrl, PUBLIC_URL } });
});
afterAll(async () => {
  await service.close();
  await catcher.close();
});

const deliver = deliverBy(() => service);

describe('my notifications', () => {
  const userId = uuidv7();
  const about = { recipientId: userId };
  let token: string;
  const get = (query = '') => service.ask('GET', `/api/notifications${query}`, { token });
  beforeAll(async () => {
    token = await service.userToken({ id: userId, role: 'student' });
    for (const template of ['welcome_verify_email', 'booking_requested_student', 'booking_confirmed_student'] as const)
      await deliver(sampleMessage(template, about));
    await deliver(sampleMessage('payment_receipt'));
  });

  test('are mine alone, newest first, in words and with what they are about', async () => {
    const { status, body } = await get();
    expect(status).toBe(200);
    expect(body.items.map((item: { type: string }) => item.type)).toEqual([
      'booking_confirmed_student',
      'booking_requested_student',
      'welcome_verify_email',
    ]);
    expect(body.items[0]).toEqual({
      id: expect.any(String),
      type: 'booking_confirmed_student',
      title: 'Confirmed: Mathematics with Ada Lovelace on 4 March',
      message: expect.stringContaining('10:00 CET'),
      bookingId: '0199f1aa-0000-7000-8000-000000000001',
      paymentId: null,
      status: 'sent',
      sentAt: expect.stringMatching(/Z$/),
      readAt: null,
      createdAt: expect.stringMatching(/Z$/),
    });
    expect(body).toMatchObject({ nextCursor: null, unreadCount: 3 });
  });

  test('come in pages that meet end to end', async () => {
    const first = await get('?limit=2');
    expect(first.body.items).toHaveLength(2);
    const second = await get(`?limit=2&cursor=${first.body.nextCursor}`);
    const ids = [...first.body.items, ...second.body.items].map((item: { id: string }) => item.id);
    expect(new Set(ids).size).toBe(3);
    expect(second.body.nextCursor).toBeNull();
  });

  test.each(['cursor=nonsense', 'limit=0', 'limit=101', 'unread=maybe', 'user=1'])(
    'with ?%s is a wrong field',
    async (query) => {
      expect(await get(`?${query}`)).toMatchObject({ status: 422, body: { code: 'validation_failed' } });
    },
  );

  test('are marked as read one by one and all together, and filtered by it', async () => {
    const [newest] = (await get()).body.items;
    const read = await service.ask('PATCH', `/api/notifications/${newest.id}/read`, { token });
    expect(read).toMatchObject({ status: 200, body: { id: newest.id, readAt: expect.any(String) } });
    expect((await get('?unread=true')).body).toMatchObject({ unreadCount: 2, items: [{}, {}] });
    expect((await get('?unread=false')).body.items).toHaveLength(3);
    const all = await service.ask('PATCH', '/api/notifications/mark-all-read', { token });
    expect(all).toMatchObject({ status: 200, body: { marked: 2 } });
    expect((await get('?unread=true')).body).toMatchObject({ unreadCount: 0, items: [] });
  });

  test("of somebody else, or none at all, are not there; nobody's without a token", async () => {
    const [mine] = (await get()).body.items;
    const stranger = await service.userToken({ role: 'tutor' });
    for (const id of [mine.id, uuidv7(), 'not-an-id'])
      expect(await service.ask('PATCH', `/api/notifications/${id}/read`, { token: stranger })).toMatchObject({
        status: 404,
        body: { code: 'not_found' },
      });
    expect((await service.ask('GET', '/api/notifications', { token: stranger })).body.items).toEqual([]);
    expect(await service.ask('GET', '/api/notifications')).toMatchObject({ status: 401 });
  });
});

describe('preferences', () => {
  const ON = { reminders: { email: true, inApp: true }, reviewRequests: { email: true, inApp: true } };

  test('start with everything on, and are replaced by what was read and changed', async () => {
    const token = await service.userToken({ role: 'student' });
    const path = '/api/notifications/preferences';
    expect(await service.ask('GET', path, { token })).toMatchObject({ status: 200, body: ON });
    const body = { ...ON, reminders: { email: false, inApp: true } };
    expect(await service.ask('PUT', path, { token, body })).toMatchObject({ status: 200, body });
    expect((await service.ask('GET', path, { token })).body).toEqual(body);
    const stranger = await service.userToken({ role: 'student' });
    expect((await service.ask('GET', path, { token: stranger })).body).toEqual(ON);
  });

  test.each([
    [{}],
    [{ reminders: ON.reminders }],
    [{ ...ON, bookings: { email: false, inApp: false } }],
    [{ ...ON, reminders: { email: 'no', inApp: true } }],
    [null],
    [[]],
  ])('that are not whole and right (%j) are refused', async (body) => {
    const token = await service.userToken({ role: 'student' });
    expect(await service.ask('PUT', '/api/notifications/preferences', { token, body })).toMatchObject({
      status: 422,
      body: { code: 'validation_failed' },
    });
  });
});

test('a cursor leads back to its id', () => {
  const id = uuidv7();
  expect(inboxCursor.read(inboxCursor.write(id))).toBe(id);
});

test.each(['x', '', '!!!!', inboxCursor.write('00000000-0000-0000-0000-000000000000'), 'AAAA'.repeat(100)])(
  'a cursor that the list never gave (%s) is refused as a wrong field',
  (cursor) => {
    expect(() => inboxCursor.read(cursor)).toThrow(ProblemError);
  },
);
