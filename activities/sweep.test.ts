import { ProblemError } from '../kernel/errors';
import { uuidv7 } from '../platform/ids';
import { type StandIns, startStandIns } from '../tests/support/stand-ins';
import { createSweepActivities, type SweepActivities } from './sweep';

let services: StandIns;
let act: SweepActivities;
beforeAll(async () => {
  services = await startStandIns();
  act = createSweepActivities(services.clients);
});
afterAll(() => services.close());
beforeEach(() => services.forget());

const tutorId = uuidv7();
const refusedAt = '2030-01-01T10:00:00.123Z';
const user = {
  ...{ id: tutorId, role: 'tutor', status: 'active', email: 'tina@example.org', firstName: 'Tina', lastName: 'Tutor' },
  ...{ emailVerified: true, timeZone: 'Europe/Berlin', locale: 'de-DE' },
};
const price = { amount: 4500, currency: 'XDR' };

test('a tutor whose prices cannot be charged is written to, once per refusal, and noted as told', async () => {
  services.answers.sweepPrices = { unlisted: 3, untold: [{ tutorId, refusedAt, price, because: 'currency' }] };
  services.answers.recordNotification = { id: uuidv7(), status: 'pending' };
  expect(await act.sweepPrices()).toEqual({ found: 1, started: 0, refused: 3 });
  expect(services.calls.map(({ operation }) => operation)).toEqual([
    'sweepPrices',
    'recordNotification',
    'markPricesTold',
  ]);
  expect(services.calls[1]).toMatchObject({
    key: `tutor:${tutorId}/prices-refused/${refusedAt}`,
    body: {
      template: 'prices_refused_tutor',
      recipientId: tutorId,
      data: { refusedPrice: price, because: 'currency' },
    },
  });
  expect(services.calls[2]?.body).toEqual({ refusedAt });
});

test('who could not be written to is not noted as told', async () => {
  services.answers.sweepPrices = { unlisted: 0, untold: [{ tutorId, refusedAt, price, because: 'amount' }] };
  services.answers.recordNotification = new ProblemError('upstream_unavailable');
  await expect(act.sweepPrices()).rejects.toMatchObject({ code: 'upstream_unavailable' });
  expect(services.calls.map(({ operation }) => operation)).not.toContain('markPricesTold');
});

describe('receipts', () => {
  const [paymentId, payerId, payeeId] = [uuidv7(), uuidv7(), uuidv7()];
  const due = { paymentId, payerId, payeeId };
  beforeEach(() => {
    services.answers.dueReceipts = { items: [due] };
    services.answers.internalGetUser = user;
    services.answers.issueReceipt = { issued: true };
    services.answers.issueCreditNotes = { issued: 2 };
  });
  const issued = () => services.calls.filter(({ operation }) => operation === 'issueReceipt');

  test('are issued to the people of a payment, by their names, and the result says how many, but no names', async () => {
    expect(await act.sweepReceipts()).toEqual({ issued: 1, creditNotes: 2, left: 0 });
    const tina = { name: 'Tina Tutor', emailName: 'tina' };
    expect(issued()).toEqual([
      {
        ...{ operation: 'issueReceipt', key: undefined, path: `/internal/payments/${paymentId}/receipt` },
        body: { payer: tina, payee: tina, locale: 'de-DE' },
      },
    ]);
    expect(services.calls.map(({ operation, path }) => [operation, path])).toEqual([
      ['dueReceipts', '/internal/receipts/due'],
      ['internalGetUser', expect.stringContaining('/internal/users/')],
      ['internalGetUser', expect.stringContaining('/internal/users/')],
      ['issueReceipt', expect.any(String)],
      ['issueCreditNotes', '/internal/credit-notes'],
    ]);
  });

  test('name nobody who is gone, and are issued all the same', async () => {
    services.answers.internalGetUser = new ProblemError('not_found');
    services.answers.dueReceipts = { items: [due, { ...due, paymentId: uuidv7() }] };
    expect(await act.sweepReceipts()).toMatchObject({ issued: 2 });
    for (const { body } of issued()) expect(body).toEqual({ payer: null, payee: null, locale: null });
  });

  test('wait while identity is away; credit notes, which need nobody’s name, do not', async () => {
    services.answers.internalGetUser = new ProblemError('upstream_unavailable');
    services.answers.dueReceipts = { items: [due, due, due] };
    expect(await act.sweepReceipts()).toEqual({ issued: 0, creditNotes: 2, left: 3 });
  });

  test('that were issued already are not counted', async () => {
    services.answers.issueReceipt = { issued: false };
    expect(await act.sweepReceipts()).toMatchObject({ issued: 0, left: 0 });
  });

  test('of which one is refused hold up nobody, and the refusal is told in the end', async () => {
    services.answers.issueReceipt = new ProblemError('invalid_state');
    services.answers.dueReceipts = { items: [due, due] };
    await expect(act.sweepReceipts()).rejects.toMatchObject({ code: 'invalid_state' });
    expect(issued()).toHaveLength(2);
    expect(services.calls.at(-1)?.operation).toBe('issueCreditNotes');
  });
});
