import { ProblemError } from '../../../kernel/errors';
import type { ReplyOf } from '../../../platform/endpoint';
import type { Call, Service } from '../../../platform/http-server';
import { clientRequest, keepAnswer, throwStored } from '../../../platform/idempotency';
import type { ServiceDeps } from '../../../platform/service';
import { paymentSaga } from '../../../workflows/payment.api';
import { refundSaga } from '../../../workflows/refund.api';
import { maySee, paymentFor, refundFor } from '../charges/rules';
import type { PaymentRow } from '../charges/store';
import { paymentContract as contract, Payment, Refund } from '../contract';
import type { Till } from '../stripe/attempt';

/** How long a client waits for a payment or refund before it is answered that it is under way. */
const ANSWER_WITHIN_MS = 10_000;

type CreatePayment = typeof contract.createPayment;
type RequestRefund = typeof contract.requestRefund;

interface Doors extends Pick<ServiceDeps, 'sagas' | 'changes'> {
  db: ServiceDeps['database']['db'];
  till: Till;
  answerWithinMs?: number | undefined;
}

/** What people do with payments. The saga does the work; a request stores what is wanted, starts it and waits for the row. */
export function servePeople(
  service: Service,
  { db, till, sagas, changes, answerWithinMs = ANSWER_WITHIN_MS }: Doors,
): void {
  const { payments, refunds } = till;

  service.serve(contract.createPayment, async (call) => {
    const request = clientRequest(call, '/api/payments');
    const claim = await payments.requestPayment(request, call.user.id, call.body);
    if (claim.kind === 'replay') {
      throwStored(claim.reply);
      // What was under way then is shown as it is today.
      if (claim.reply.status === 202) return shown(202, await payments.get(claim.resourceId));
      return paymentReply(201, Payment.parse(claim.reply.body));
    }
    return keepAnswer(db, request, () => pay(claim.resourceId, call));
  });

  async function pay(
    paymentId: string,
    { user, body, receivedAt }: Call<CreatePayment>,
  ): Promise<ReplyOf<CreatePayment>> {
    // A retry may come after the saga's end, when Temporal has forgotten it: the row says whether there is anything to do.
    const isNew = (await payments.get(paymentId)).status === 'pending';
    if (isNew) await sagas.start(paymentSaga, { paymentId, payerId: user.id, payeeId: body.payeeId });
    const payment = await changes.until(
      paymentId,
      receivedAt.getTime() + answerWithinMs,
      () => payments.get(paymentId),
      ({ status }) => status !== 'pending',
    );
    const { status, declineCode } = payment;
    if (status === 'failed') throw refusal('payment_declined', { paymentId, declineCode });
    if (status === 'voided') throw refusal('payment_expired', { paymentId });
    return shown(payment.captured > 0 ? 201 : 202, payment);
  }

  service.serve(contract.getPayment, async ({ params, user }) => {
    const payment = await payments.get(params.id);
    if (!maySee(payment, user)) throw new ProblemError('not_found');
    return ok(paymentFor(payment, user.id));
  });

  service.serve(contract.listRefunds, async ({ params, user }) => {
    if (!maySee(await payments.get(params.id), user)) throw new ProblemError('not_found');
    const items = await refunds.listOf(params.id);
    return ok({ items: items.map(refundFor), nextCursor: null });
  });

  service.serve(contract.requestRefund, async (call) => {
    const paymentId = call.params.id;
    const request = clientRequest(call, `/api/payments/${paymentId}/refund`);
    const claim = await refunds.request(request, call.user, paymentId, call.body);
    if (claim.kind === 'refused') throw claim.problem;
    if (claim.kind === 'replay') {
      throwStored(claim.reply);
      return created(Refund.parse(claim.reply.body));
    }
    const deadline = call.receivedAt.getTime() + answerWithinMs;
    return keepAnswer(db, request, () => giveBack(claim.resourceId, paymentId, deadline));
  });

  async function giveBack(refundId: string, paymentId: string, deadline: number): Promise<ReplyOf<RequestRefund>> {
    const { bookingId } = await payments.get(paymentId);
    const isNew = (await refunds.get(refundId)).status === 'pending';
    if (isNew) await sagas.start(refundSaga, { refundId, paymentId, bookingId });
    const refund = await changes.until(
      refundId,
      deadline,
      () => refunds.get(refundId),
      ({ status, stripeRefundId }) => status !== 'pending' || stripeRefundId !== null,
    );
    if (refund.status === 'failed') throw refusal('refund_failed', { refundId, paymentId });
    return created(refundFor(refund));
  }
}

function shown(status: 201 | 202, payment: PaymentRow) {
  return paymentReply(status, paymentFor(payment, payment.payerId));
}

function paymentReply(status: 201 | 202, body: Payment) {
  return { status, body, headers: { location: `/api/payments/${body.id}` } };
}

function refusal(
  code: 'payment_declined' | 'payment_expired' | 'refund_failed',
  extras: Record<string, unknown>,
): ProblemError {
  return new ProblemError(code, undefined, { extras });
}

/** A 200 with `body`. */
export function ok<Body>(body: Body) {
  return { status: 200, body } as const;
}

/** A 201 with `body`. */
export function created<Body>(body: Body) {
  return { status: 201, body } as const;
}
