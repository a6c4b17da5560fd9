import { ProblemError } from '../../../kernel/errors';
import { listActs } from '../../../platform/audit';
import { listCursor } from '../../../platform/cursor';
import type { ReplyOf } from '../../../platform/endpoint';
import type { Call, Service } from '../../../platform/http-server';
import { clientRequest } from '../../../platform/idempotency';
import { created, ok } from '../../../platform/replies';
import { answerOnce, startAndWait } from '../../../platform/saga-request';
import { Uuid } from '../../../platform/schemas';
import type { ServiceDeps } from '../../../platform/service';
import { paymentSaga } from '../../../workflows/payment.api';
import { refundSaga } from '../../../workflows/refund.api';
import { bookingIdOf, maySee, shownPayment } from '../charges/rules';
import { listPayments, type PaymentRow, readPayment } from '../charges/store/payments';
import { requestPayment } from '../charges/store/requests';
import { paymentContract as contract, Payment, Refund } from '../contract';
import { paymentDisputeOf } from '../disputes/rules';
import { latestDisputes } from '../disputes/store/disputes';
import { REFUNDED_OTHERWISE, shownRefund } from '../refunds/rules';
import { listRefunds, readRefund } from '../refunds/store/refunds';
import { requestRefund } from '../refunds/store/requests';
import type { Till } from '../till';

/** The cursor of the page that ends with this payment. */
const paymentCursor = listCursor(Uuid);

type CreatePayment = typeof contract.createPayment;
type RequestRefund = typeof contract.requestRefund;

/** By what a person's request is carried out: its saga, and the wait for the row. `answerWithinMs`: how long, if not the default. */
interface Carrying extends Pick<ServiceDeps, 'sagas' | 'changes'> {
  answerWithinMs?: number | undefined;
}

/** What people do with payments. The saga does the work; a request stores what is wanted, starts it and waits for the row. */
export function servePeople(
  service: Service,
  { db, feePercent, settling }: Till,
  { sagas, changes, answerWithinMs }: Carrying,
): void {
  service.serve(contract.createPayment, async (call) => {
    const request = clientRequest(call, '/api/payments');
    const claimed = await requestPayment(db, request, call.user.id, call.body, { feePercent, settling });
    return answerOnce(db, request, claimed, {
      run: ({ resourceId }) => pay(resourceId, call),
      async repeat({ status, body }, paymentId) {
        // A payment that was under way then is shown as it is today.
        if (status === 202) return shown(202, await readPayment(db, paymentId));
        return paymentReply(201, Payment.parse(body));
      },
    });
  });

  async function pay(
    paymentId: string,
    { user, body, receivedAt }: Call<CreatePayment>,
  ): Promise<ReplyOf<CreatePayment>> {
    const payment = await startAndWait(
      changes,
      {
        id: paymentId,
        receivedAt,
        async start() {
          // A retry may come after the saga's end, when Temporal has forgotten it: the row says whether there is anything to do.
          const isNew = (await readPayment(db, paymentId)).status === 'pending';
          if (isNew) await sagas.start(paymentSaga, { paymentId, payerId: user.id, payeeId: body.payeeId });
        },
        read: () => readPayment(db, paymentId),
        isDecided: ({ status }) => status !== 'pending',
      },
      answerWithinMs,
    );
    const { status, declineCode, refusal: refused } = payment;
    if (refused) throw refusal(refused, { paymentId });
    if (status === 'failed') throw refusal('payment_declined', { paymentId, declineCode });
    if (status === 'voided') throw refusal('payment_expired', { paymentId });
    return shown(payment.captured > 0 ? 201 : 202, payment);
  }

  /** How somebody sees each of these payments, with its latest dispute. */
  async function seenBy(user: { id: string }, rows: readonly PaymentRow[]): Promise<(row: PaymentRow) => Payment> {
    const disputes = await latestDisputes(
      db,
      rows.map(({ id }) => id),
    );
    return (row) => {
      const dispute = disputes.get(row.id);
      return shownPayment(row, user.id, dispute ? paymentDisputeOf(dispute) : null);
    };
  }

  service.serve(contract.listActs, async ({ query }) => ok(await listActs(db, query)));

  service.serve(contract.listPayments, async ({ user, query: { role, bookingId, cursor, limit } }) => {
    const before = cursor === undefined ? undefined : paymentCursor.read(cursor);
    const isForAll = user.role === 'admin' && role === undefined;
    const of = { user: isForAll ? null : { id: user.id, role }, bookingId };
    const found = await listPayments(db, { ...of, before, limit: limit + 1 });
    const items = found.slice(0, limit);
    const last = found.length > limit ? items.at(-1) : undefined;
    const shownItems = items.map(await seenBy(user, items));
    return ok({ items: shownItems, nextCursor: last ? paymentCursor.write(last.id) : null });
  });

  service.serve(contract.getPayment, async ({ params, user }) => {
    const payment = await readPayment(db, params.id);
    if (!maySee(payment, user)) throw new ProblemError('not_found');
    const seen = await seenBy(user, [payment]);
    return ok(seen(payment));
  });

  service.serve(contract.listRefunds, async ({ params, user }) => {
    if (!maySee(await readPayment(db, params.id), user)) throw new ProblemError('not_found');
    const items = await listRefunds(db, params.id);
    return ok({ items: items.map(shownRefund), nextCursor: null });
  });

  service.serve(contract.requestRefund, async (call) => {
    const paymentId = call.params.id;
    const request = clientRequest(call, `/api/payments/${paymentId}/refund`);
    const claimed = await requestRefund(db, request, call.user, paymentId, call.body);
    return answerOnce(db, request, claimed, {
      run: ({ resourceId }) => giveBack(resourceId, paymentId, call.receivedAt),
      repeat: ({ body }) => created(Refund.parse(body)),
    });
  });

  async function giveBack(refundId: string, paymentId: string, receivedAt: Date): Promise<ReplyOf<RequestRefund>> {
    const bookingId = bookingIdOf(await readPayment(db, paymentId));
    const refund = await startAndWait(
      changes,
      {
        id: refundId,
        receivedAt,
        async start() {
          const isNew = (await readRefund(db, refundId)).status === 'pending';
          if (isNew) await sagas.start(refundSaga, { refundId, paymentId, bookingId });
        },
        read: () => readRefund(db, refundId),
        isDecided: ({ status, stripeRefundId }) => status !== 'pending' || stripeRefundId !== null,
      },
      answerWithinMs,
    );
    if (refund.status === 'failed') {
      // Stripe had refunded it already, of which nobody here knew: as if that had been known when this one was asked for.
      const isSpent = refund.failureCode === REFUNDED_OTHERWISE;
      throw refusal(isSpent ? 'refund_exceeds_payment' : 'refund_failed', { refundId, paymentId });
    }
    return created(shownRefund(refund));
  }
}

/** A payment that was made just now, or is under way: nobody has disputed it. */
function shown(status: 201 | 202, payment: PaymentRow) {
  return paymentReply(status, shownPayment(payment, payment.payerId, null));
}

function paymentReply(status: 201 | 202, body: Payment) {
  return { status, body, headers: { location: `/api/payments/${body.id}` } };
}

function refusal(
  code:
    | 'payment_declined'
    | 'payment_expired'
    | 'refund_exceeds_payment'
    | 'refund_failed'
    | 'request_expired'
    | 'payment_rejected',
  extras: Record<string, unknown>,
): ProblemError {
  return new ProblemError(code, undefined, { extras });
}
