import { QUEUES } from '../kernel/modules';
import { SEARCH_ATTRIBUTES } from '../kernel/saga-type';
import * as bookingApi from './booking.api';
import * as paymentApi from './payment.api';
import * as refundApi from './refund.api';
import * as sagaApi from './saga.api';
import * as userCreationApi from './user-creation.api';

const { bookingSaga } = bookingApi;
const { paymentSaga } = paymentApi;
const { refundSaga } = refundApi;
const { userCreationSaga } = userCreationApi;

const booking = {
  bookingId: 'b1',
  studentId: 's1',
  tutorId: 't1',
  scheduledAt: '2030-01-01T10:00:00.000Z',
  durationMinutes: 60,
  paymentMethodId: 'pm_card_visa',
};
const refund = { refundId: 'r1', paymentId: 'p1' };

test.each([
  [
    bookingSaga.workflowId(booking),
    bookingSaga.searchAttributes(booking),
    { SagaKind: 'booking', BookingId: 'b1', StudentId: 's1', TutorId: 't1' },
  ],
  [
    paymentSaga.workflowId({ paymentId: 'p1', payerId: 's1', payeeId: 't1' }),
    paymentSaga.searchAttributes({ paymentId: 'p1', payerId: 's1', payeeId: 't1' }),
    { SagaKind: 'payment', PaymentId: 'p1' },
  ],
  [
    refundSaga.workflowId({ ...refund, bookingId: 'b1' }),
    refundSaga.searchAttributes({ ...refund, bookingId: 'b1' }),
    { SagaKind: 'refund', PaymentId: 'p1', BookingId: 'b1' },
  ],
  [
    refundSaga.workflowId({ ...refund, bookingId: null }),
    refundSaga.searchAttributes({ ...refund, bookingId: null }),
    { SagaKind: 'refund', PaymentId: 'p1' },
  ],
  [
    userCreationSaga.workflowId({ userId: 'u1', role: 'tutor' }),
    userCreationSaga.searchAttributes({ userId: 'u1', role: 'tutor' }),
    { SagaKind: 'user-creation', TutorId: 'u1' },
  ],
  [
    userCreationSaga.workflowId({ userId: 'u1', role: 'student' }),
    userCreationSaga.searchAttributes({ userId: 'u1', role: 'student' }),
    { SagaKind: 'user-creation', StudentId: 'u1' },
  ],
])('%s is found by its kind and by whom and what it concerns', (workflowId, attributes, expected) => {
  expect(workflowId).toMatch(/^(booking:b1|payment:p1|refund:r1|user:u1)$/);
  expect(attributes).toEqual({ SagaState: 'Running', ...expected });
  expect(SEARCH_ATTRIBUTES).toEqual(expect.arrayContaining(Object.keys(attributes)));
});

test('every saga is started on the queue that the one list gives it', () => {
  const started = {
    booking: bookingSaga.taskQueue,
    payment: paymentSaga.taskQueue,
    refund: refundSaga.taskQueue,
    'user-creation': userCreationSaga.taskQueue,
  };
  expect(Object.fromEntries(QUEUES.flatMap(({ name, sagas }) => sagas.map((saga) => [saga, name])))).toEqual(started);
});

test('a list of sagas says in a line what each is', () => {
  expect(bookingSaga.summary(booking)).toBe('Booking b1: 60 min at 2030-01-01T10:00:00.000Z');
  expect(paymentSaga.summary({ paymentId: 'p1', payerId: 's1', payeeId: 't1' })).toBe('Payment p1');
  expect(refundSaga.summary({ ...refund, bookingId: null })).toBe('Refund r1 of payment p1');
  expect(userCreationSaga.summary({ userId: 'u1', role: 'tutor' })).toBe('Sign-up of tutor u1');
});

test('every saga offers its doors under the names that are in histories and cannot change', () => {
  const doors = (api: object) =>
    Object.values(api).flatMap((door: unknown) =>
      typeof door === 'object' && door !== null && 'type' in door && 'name' in door
        ? [`${door.type} ${door.name}`]
        : [],
    );
  expect(doors(bookingApi).toSorted()).toEqual([
    'signal paymentChanged',
    ...['cancel', 'complete', 'confirm', 'decline', 'reschedule'].map((name) => `update ${name}`),
  ]);
  expect(doors(paymentApi).toSorted()).toEqual(expect.arrayContaining(['signal paymentChanged']));
  expect(doors(refundApi).toSorted()).toEqual(expect.arrayContaining(['signal refundChanged']));
  expect(doors(userCreationApi)).toEqual([]); // but what every saga has, for operators
  expect(doors(sagaApi)).toEqual(['update resolve']);
});
