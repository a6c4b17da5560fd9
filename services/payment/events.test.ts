import { theOnly } from '../../db/client';
import { payouts } from '../../db/schema/payment';
import { uuidv7 } from '../../platform/ids';
import { createTestDatabase, type TestDatabase } from '../../tests/support/database';
import { EUR, paymentRows } from '../../tests/support/payment';
import { recordChargeRefusal } from './charges/store/intents';
import { recordDispute } from './disputes/store/record';
import { appendPayoutEvent } from './payouts/store/payouts';
import { recordRefundRefusal } from './refunds/store/at-stripe';
import { beginSubmit } from './refunds/store/attempts';
import { createRefund } from './refunds/store/requests';

// What banks and Stripe say is theirs to choose: what they do is recorded in any words, and told as a code.

let database: TestDatabase;
beforeAll(async () => {
  database = await createTestDatabase('payment');
});
afterAll(() => database.drop());

const { begin, captured } = paymentRows(() => database);
const WORDS = 'Ask Łukasz Nowak!';
const told = async (streamId: string) =>
  (await database.sql`select data from events where stream_id = ${streamId} order by version`).at(-1)?.data;

test('a payment is declined in any words', async () => {
  const { payment, attempt } = await begin();
  if (!attempt) throw new Error('nothing begun');
  const row = await recordChargeRefusal(database.db, payment.id, attempt, { code: WORDS, isOurs: false });
  expect(row).toMatchObject({ status: 'failed', declineCode: WORDS });
  expect(await told(payment.id)).toMatchObject({ status: 'failed', declineCode: 'other' });
});

test('a refund fails in any words', async () => {
  const { id } = await captured();
  const request = { owner: 'service', key: `refund-of-${id}`, fingerprint: 'f' };
  const wanted = { amount: EUR(400), reason: 'r', requestedBy: null };
  const { refundId } = await createRefund(database.db, request, id, wanted);
  const { attempt } = await beginSubmit(database.db, `refund:${refundId}/submit`, refundId);
  if (!attempt) throw new Error('nothing begun');
  const { refund } = await recordRefundRefusal(database.db, refundId, attempt, { code: WORDS, asked: 400 });
  expect(refund).toMatchObject({ status: 'failed', failureCode: WORDS });
  expect(await told(refundId)).toMatchObject({ status: 'failed', failureCode: 'other' });
});

test('a payout fails in any words', async () => {
  const id = uuidv7();
  await database.db.transaction(async (tx) => {
    const stored = await tx
      .insert(payouts)
      .values({
        ...{ id, payeeId: uuidv7(), currency: 'EUR', amount: 100, periodTo: new Date(), failureCode: WORDS },
        origin: 'request',
        status: 'failed',
        statusReason: 'refused_by_bank',
      })
      .returning();
    await appendPayoutEvent(tx, 'PayoutFailed', theOnly(stored));
  });
  expect(await told(id)).toMatchObject({ status: 'failed', failureCode: 'other' });
});

test('a dispute has any reason', async () => {
  const { dispute } = await recordDispute(database.db, await captured(), {
    ...{ id: `dp_${uuidv7()}`, status: 'needs_response', reason: WORDS, amount: 100, currency: 'EUR' },
    ...{ intentId: null, respondBy: null, openedAt: new Date(), movements: [] },
  });
  expect(dispute.reason).toBe(WORDS);
  expect(await told(dispute.id)).toMatchObject({ status: 'needs_response', reason: 'other' });
});
