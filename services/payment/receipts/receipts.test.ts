import { uuidv7 } from '../../../platform/ids';
import { runService } from '../../../platform/service';
import {
  chargeBooking,
  EUR,
  newBooking,
  type PaymentStack,
  receiptsAt,
  refundsAt,
  startPaymentStack,
} from '../../../tests/support/payment';
import { wordsOf } from '../../../tests/support/pdf';
import { freePort } from '../../../tests/support/ports';
import { noBus, noSagas } from '../../../tests/support/service';
import { paymentService } from '../routes';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());

const { paid, askRefund, refunded } = refundsAt(() => stack);
const { issue, issueCreditNotes, file, receiptOf, creditNoteOf } = receiptsAt(() => stack);

const year = new Date().getUTCFullYear();
const problemOf = ({ body }: { body: Buffer }) => JSON.parse(body.toString());

describe('a receipt', () => {
  test('is a PDF that says who paid whom what for what, the fee in it, and nothing of tax that is not so', async () => {
    const payment = await paid();
    expect((await issue(payment.paymentId)).body).toEqual({ issued: true });
    const { status, headers, body } = await receiptOf(payment);
    expect([status, headers['content-type']]).toEqual([200, 'application/pdf']);
    expect(body.subarray(0, 8).toString()).toBe('%PDF-1.7');
    const words = await wordsOf(body);
    const number = new RegExp(`R-${year}-\\d{6}`).exec(words)?.[0];
    expect(headers).toMatchObject({
      'content-disposition': `inline; filename="${number}.pdf"`,
      'content-language': 'en',
    });
    for (const said of [
      ...['TutorConnect', `Receipt ${number}`, 'Ada Lovelace', 'Grace Hopper', 'Tutoring session'],
      ...[payment.bookingId, payment.paymentId, '45.00 EUR', '6.75 EUR', '38.25 EUR', 'VAT', 'Not shown'],
    ])
      expect(words).toContain(said);
  });

  test('has the same bytes each time it is asked for, also after a refund, and 304 for who has them', async () => {
    const payment = await paid();
    await issue(payment.paymentId);
    const first = await receiptOf(payment);
    await refunded(payment, 1000);
    const second = await receiptOf(payment);
    expect(second.body.equals(first.body)).toBe(true);
    const { etag } = first.headers;
    expect(etag).toMatch(/^"R-\d{4}-\d{6}-\d+-en-\d+"$/);
    expect(second.headers.etag).toBe(etag);

    const again = await receiptOf(payment, { headers: { 'if-none-match': String(etag) } });
    expect([again.status, again.body.length]).toEqual([304, 0]);
    const german = await receiptOf(payment, { query: '?language=de', headers: { 'if-none-match': String(etag) } });
    expect(german.status).toBe(200);
  });

  test('is in the language of its payer, or in the one that is asked for', async () => {
    const payment = await paid();
    await issue(payment.paymentId, { locale: 'de-AT' });
    const german = await wordsOf((await receiptOf(payment)).body);
    for (const said of ['Zahlungsbeleg', 'Bezahlt von', '45,00 EUR', 'davon Plattformgebühr', 'Umsatzsteuer'])
      expect(german).toContain(said);
    const english = await wordsOf((await receiptOf(payment, { query: '?language=en' })).body);
    expect(english).toContain('45.00 EUR');
    expect(english).not.toContain('Zahlungsbeleg');
    expect((await receiptOf(payment, { query: '?language=fr' })).status).toBe(422);
  });

  test.each(['Łukasz Żółć', 'Ελένη', 'Иван'])('names %s', async (name) => {
    const payment = await paid();
    await issue(payment.paymentId, { payer: { name, emailName: 'somebody' } });
    const words = await wordsOf((await receiptOf(payment)).body);
    expect(words).toContain(name);
    expect(words).not.toContain('somebody');
  });

  test('names by their address who writes in another script, and nobody who is gone', async () => {
    const payment = await paid();
    await issue(payment.paymentId, { payer: null, payee: { name: '李小龍', emailName: 'bruce.lee' }, locale: null });
    const words = await wordsOf((await receiptOf(payment)).body);
    expect(words).toContain('bruce.lee');
    expect(words).toContain('A former member');
    const german = await wordsOf((await receiptOf(payment, { query: '?language=de' })).body);
    expect(german).toContain('Ein ehemaliges Mitglied');
  });

  test('of a direct payment says what its payer wrote, if it can be printed', async () => {
    const [payerId, payeeId] = [uuidv7(), uuidv7()];
    const token = await stack.service.userToken({ id: payerId, role: 'student' });
    for (const [id, role] of [
      [payerId, 'student'],
      [payeeId, 'tutor'],
    ] as const)
      await stack.post('/accounts', `user:${id}/account`, { userId: id, role, email: `${id}@example.org`, name: 'N' });
    const words = async (description: string) => {
      const body = { payeeId, amount: EUR(2000), paymentMethodId: 'pm_card_visa', description };
      const before = stack.started.length;
      const asked = stack.service.ask('POST', '/api/payments', { token, key: uuidv7(), body });
      while (stack.started.length === before) await new Promise(setImmediate);
      const workflowId = stack.started.at(-1)?.workflowId ?? '';
      const paymentId = workflowId.replace('payment:', '');
      await stack.post(`/payments/${paymentId}/charge`, `${workflowId}/charge`);
      expect((await asked).status).toBe(201);
      await issue(paymentId);
      const { body: pdf } = await file(`/api/payments/${paymentId}/receipt.pdf`, { id: payeeId, role: 'tutor' });
      return wordsOf(pdf);
    };
    expect(await words('Zwei Bücher,\nein Stift')).toContain('Zwei Bücher, ein Stift');
    const unprintable = await words('两本书');
    expect(unprintable).toContain('Direct payment');
    expect(unprintable).not.toContain('Booking');
  });

  test('is for payer, payee and administrators; for others there is none', async () => {
    const payment = await paid();
    await issue(payment.paymentId);
    const refundId = await refunded(payment, 1000);
    expect(await issueCreditNotes()).toBeGreaterThan(0);
    const allowed = [
      { id: payment.payerId, role: 'student' as const },
      { id: payment.payeeId, role: 'tutor' as const },
      { role: 'admin' as const },
    ];
    const others = [{ role: 'student' as const }, { role: 'tutor' as const }];
    for (const path of [`/api/payments/${payment.paymentId}/receipt.pdf`, `/api/refunds/${refundId}/credit-note.pdf`]) {
      for (const user of allowed) expect((await file(path, user)).status).toBe(200);
      for (const user of others) {
        const reply = await file(path, user);
        expect([reply.status, problemOf(reply).code]).toEqual([404, 'not_found']);
      }
      expect((await stack.service.ask('GET', path)).status).toBe(401);
    }
    expect((await file(`/api/payments/${uuidv7()}/receipt.pdf`, { role: 'admin' })).status).toBe(404);
    expect((await file(`/api/refunds/${uuidv7()}/credit-note.pdf`, { role: 'admin' })).status).toBe(404);
  });

  test('that is not issued yet is to be asked for later; where no money was taken there will be none', async () => {
    const payment = await paid();
    const soon = await receiptOf(payment);
    expect([soon.status, problemOf(soon).code, soon.headers['retry-after']]).toEqual([409, 'invalid_state', '120']);

    const booking = newBooking();
    const { body } = await chargeBooking(stack, booking, { capture: 'manual' });
    const never = await receiptOf({ ...booking, paymentId: body.paymentId });
    expect([never.status, problemOf(never).code, never.headers['retry-after']]).toEqual([
      ...[409, 'invalid_state'],
      undefined,
    ]);
    expect(await issue(body.paymentId)).toMatchObject({ status: 409, body: { code: 'invalid_state' } });
  });

  test('leaves names in its own row alone, and there under a seal', async () => {
    const payment = await paid();
    const marker = 'Zzyzxmarker';
    const people = { payer: { name: marker, emailName: 'markermail' }, payee: { name: '李', emailName: 'markermail' } };
    await issue(payment.paymentId, people);
    await issue(payment.paymentId, people);
    expect(await wordsOf((await receiptOf(payment)).body)).toContain(marker);
    const { sql } = stack.service.database;
    const tables = await sql`select tablename from pg_tables where schemaname = 'public'`;
    expect(tables.length).toBeGreaterThan(10);
    for (const { tablename } of tables) {
      const [row] = await sql`select coalesce(string_agg(t::text, ' '), '') as rows from ${sql(tablename)} t`;
      expect([tablename, /zzyzxmarker|markermail/i.exec(row?.rows)]).toEqual([tablename, null]);
    }
  });
});

describe('a credit note', () => {
  test('says of which receipt what was given back, to whom the receipt names', async () => {
    const payment = await paid();
    await issue(payment.paymentId);
    const refundId = await refunded(payment, 1234);
    await issueCreditNotes();
    const { status, headers, body } = await creditNoteOf(refundId, payment);
    expect([status, headers['content-type']]).toEqual([200, 'application/pdf']);
    const words = await wordsOf(body);
    const [number] = new RegExp(`C-${year}-\\d{6}`).exec(words) ?? [];
    const receipt = /R-\d{4}-\d{6}/.exec(await wordsOf((await receiptOf(payment)).body))?.[0];
    for (const said of [`Credit note ${number}`, `${receipt}`, 'Ada Lovelace', 'Grace Hopper', '12.34 EUR', refundId])
      expect(words).toContain(said);
    expect(headers['content-disposition']).toBe(`inline; filename="${number}.pdf"`);
    expect(headers.etag).toMatch(new RegExp(`^"${number}-`));
    expect((await creditNoteOf(refundId, payment)).body.equals(body)).toBe(true);
    const german = await wordsOf((await creditNoteOf(refundId, payment, '?language=de')).body);
    expect(german).toContain('Erstattungsbeleg');
    expect(german).toContain('12,34 EUR');
  });

  test('waits for its receipt; of a refund that is not made there is none', async () => {
    await issueCreditNotes();
    const payment = await paid();
    const refundId = await refunded(payment, 1000);
    expect(await issueCreditNotes()).toBe(0);
    const soon = await creditNoteOf(refundId, payment);
    expect([soon.status, soon.headers['retry-after']]).toEqual([409, '120']);

    await issue(payment.paymentId);
    const { body } = await askRefund(payment, 500);
    expect(await issueCreditNotes()).toBe(1);
    expect((await creditNoteOf(refundId, payment)).status).toBe(200);
    const never = await creditNoteOf(body.refundId, payment);
    expect([never.status, never.headers['retry-after']]).toEqual([409, undefined]);
  });
});

test('payment does not start with another secret than that of its newest receipt', async () => {
  await issue((await paid()).paymentId);
  const { config } = stack.service;
  const start = async (secret: string | undefined) => {
    const servicePort = { ...config.servicePort, payment: await freePort() };
    const running = await runService(paymentService, {
      config: { ...config, servicePort, PAYMENT_KEY_SECRET: secret },
      sagas: noSagas,
      bus: noBus,
    });
    await running.close();
  };
  await expect(start('another secret, of more than 32 characters')).rejects.toThrow(
    'This PAYMENT_KEY_SECRET does not open the newest receipt',
  );
  await expect(start(undefined)).rejects.toThrow('payment has no PAYMENT_KEY_SECRET');
  await start(config.PAYMENT_KEY_SECRET);
});
