import { uuidv7 } from '../../platform/ids';
import { SendNotification, type TemplateName } from '../../services/notification/contract';
import type { Reply, TestService } from './service';

export const TEMPLATES: readonly TemplateName[] = SendNotification.options.map((option) => option.shape.template.value);

const BOOKING = {
  bookingId: '0199f1aa-0000-7000-8000-000000000001',
  subject: 'Mathematics',
  startsAt: '2030-03-04T09:00:00.000Z',
  durationMinutes: 60,
  otherName: 'Ada Lovelace',
  price: { amount: 4500, currency: 'EUR' },
  meetingUrl: 'https://meet.example/room',
};
const PAYMENT = {
  paymentId: '0199f1aa-0000-7000-8000-000000000002',
  bookingId: null,
  amount: { amount: 4500, currency: 'EUR' },
  description: 'Exam preparation',
};

const EXTRA: Partial<Record<TemplateName, Record<string, unknown>>> = {
  booking_requested_student: { respondBy: '2030-03-01T18:00:00.000Z' },
  booking_requested_tutor: { respondBy: '2030-03-01T18:00:00.000Z' },
  booking_cancelled_student: { refund: { amount: 2250, currency: 'EUR' }, cancelledBy: 'student' },
  booking_cancelled_tutor: { cancelledBy: 'tutor' },
  booking_rescheduled_student: { previousStart: '2030-03-03T09:00:00.000Z' },
  booking_rescheduled_tutor: { previousStart: '2030-03-03T09:00:00.000Z' },
  booking_reminder_student: { hoursBefore: 24 },
  booking_reminder_tutor: { hoursBefore: 1 },
  payment_action_required: { otherName: 'Ada Lovelace', payBy: '2030-03-01T18:00:00.000Z' },
  payment_receipt: { otherName: 'Ada Lovelace' },
  payment_received: { otherName: 'Ada Lovelace' },
  payment_declined_student: { otherName: 'Ada Lovelace' },
};

/** A message of `template` as an activity would send it; `data` and `recipient` replace single fields. */
export function sampleMessage(
  template: TemplateName,
  {
    data = {},
    ...recipient
  }: { data?: Record<string, unknown> } & Partial<Omit<SendNotification, 'data' | 'template'>> = {},
): SendNotification {
  return SendNotification.parse({
    template,
    recipientId: uuidv7(),
    email: 'grace@example.com',
    recipientName: 'Grace Hopper',
    locale: 'en-GB',
    timeZone: 'Europe/Berlin',
    ...recipient,
    data: { ...sampleData(template), ...data },
  });
}

function sampleData(template: TemplateName): Record<string, unknown> {
  if (template === 'welcome_verify_email') return { verifyUrl: 'https://tutorconnect.example/verify?token=abc&x=1' };
  if (template === 'password_reset') return { resetUrl: 'https://tutorconnect.example/reset?token=abc' };
  return { ...(template.startsWith('booking_') ? BOOKING : PAYMENT), ...EXTRA[template] };
}

/** A business key that nobody has used. */
export const newKey = () => `booking:${uuidv7()}/confirmed/student`;
/** An address that nobody else has. */
export const somebody = () => `${uuidv7()}@example.com`;

/** Sends a message as an activity does, to `service` unless another is named. */
export const sendBy =
  (service: () => TestService) =>
  (body: unknown, key = newKey(), to = service()): Promise<Reply> =>
    to.internal('POST', '/internal/notifications', { key, body });
