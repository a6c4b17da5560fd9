import { ProblemError } from '../../kernel/errors';
import type { ReplyOf } from '../../platform/endpoint';
import type { Call, Service } from '../../platform/http-server';
import { type KeyedRequest, refusalReply, type StoredReply, throwStored } from '../../platform/idempotency';
import { currentContext } from '../../platform/telemetry';
import type { Sagas } from '../../platform/temporal';
import { paymentSaga } from '../../workflows/payment.api';
import { refundSaga } from '../../workflows/refund.api';
import type { Till } from './attempt';
import type { Changes } from './changes.store';
import { paymentContract as contract, Payment, Refund } from './contract';
import { maySee, paymentFor, refundFor } from './rules';
import type { PaymentRow } from './store';

/** How long a client waits for a payment or refund before it is answered that it is under way. */
const ANSWER_WITHIN_MS = 10_000;

/** Refusals that are final answers; after all others the same request may succeed. */
const KEPT_REFUSALS = new Set([402, 409]);

type CreatePayment = typeof contract.createPayment;
type RequestRefund = typeof contract.requestRefund;

interface Doors {
  till: Till;
  sagas: Sagas;
  changes: Changes;
  answerWithinMs?: number | undefined;
}

/** What people do with payments. The saga does the work; a request stores what is wanted, starts it and waits for the row. */
export function servePeople(
  service: Service,
  { till, sagas, changes, answerWithinMs = ANSWER_WITHIN_MS }: Doors,
): void {
  const { payments, refunds } = till;

  service.serve(contract.createPayment, async (call) => {
    const request = keyOf(call);
    const claim = await payments.requestPayment(request, call.user.id, call.body);
    if (claim.kind === 'replay') {
      throwStored(claim.reply);
      // What was under way then is shown as it is today.
      if (claim.reply.status === 202) return shown(202, await payments.get(claim.resourceId));
      return paymentReply(201, Payment.parse(claim.reply.body));
    }
    return keeping(request, '/api/payments', () => pay(claim.resourceId, call));
  });

  async function pay(paymentId: string, { user, body }: Call<CreatePayment>): Promise<ReplyOf<CreatePayment>> {
    // A retry may come after the saga's end, when Temporal has forgotten it: the row says whether there is anything to do.
    const isNew = (await payments.get(paymentId)).status === 'pending';
    if (isNew) await sagas.start(paymentSaga, { paymentId, payerId: user.id, payeeId: body.payeeId });
    const payment = await changes.until(
      paymentId,
      answerWithinMs,
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
    const request = keyOf(call);
    const paymentId = call.params.id;
    const instance = `/api/payments/${paymentId}/refund`;
    const asReply = (problem: ProblemError) => stored(problem, instance);
    const claim = await refunds.request({ ...request, asReply }, call.user, paymentId, call.body);
    if (claim.kind === 'refused') throw claim.problem;
    if (claim.kind === 'replay') {
      throwStored(claim.reply);
      return created(Refund.parse(claim.reply.body));
    }
    return keeping(request, instance, () => giveBack(claim.resourceId, paymentId));
  });

  async function giveBack(refundId: string, paymentId: string): Promise<ReplyOf<RequestRefund>> {
    const { bookingId } = await payments.get(paymentId);
    const isNew = (await refunds.get(refundId)).status === 'pending';
    if (isNew) await sagas.start(refundSaga, { refundId, paymentId, bookingId });
    const refund = await changes.until(
      refundId,
      answerWithinMs,
      () => refunds.get(refundId),
      ({ status, stripeRefundId }) => status !== 'pending' || stripeRefundId !== null,
    );
    if (refund.status === 'failed') throw refusal('refund_failed', { refundId, paymentId });
    return created(refundFor(refund));
  }

  /** Answers and keeps the answer under the key, a refusal too. After a fault the key is free for a retry at once. */
  async function keeping<R extends { status: number; body: unknown }>(
    request: KeyedRequest,
    instance: string,
    answer: () => Promise<R>,
  ): Promise<R> {
    try {
      const reply = await answer();
      // A 202 without its body, which holds a secret and is out of date tomorrow.
      await payments.storeReply(request, { status: reply.status, body: reply.status === 202 ? null : reply.body });
      return reply;
    } catch (error) {
      if (error instanceof ProblemError && KEPT_REFUSALS.has(error.status))
        await payments.storeReply(request, stored(error, instance));
      else await payments.releaseKey(request).catch(() => undefined);
      throw error;
    }
  }
}

function keyOf(call: { user: { id: string }; idempotencyKey: string; fingerprint: string }): KeyedRequest {
  return { owner: call.user.id, key: call.idempotencyKey, fingerprint: call.fingerprint };
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

function stored(problem: ProblemError, instance: string): StoredReply {
  return refusalReply(problem, instance, currentContext()?.requestId ?? '');
}

/** A 200 with `body`. */
export function ok<Body>(body: Body) {
  return { status: 200, body } as const;
}

/** A 201 with `body`. */
export function created<Body>(body: Body) {
  return { status: 201, body } as const;
}
