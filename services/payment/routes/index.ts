import type { ServiceDefinition } from '../../../platform/service';
import { openAccount, removeAccount } from '../accounts/account';
import { createAccountStore } from '../accounts/store';
import { capture, charge, refresh } from '../charges/charge';
import { detailsOf, refundStateOf, stateOf } from '../charges/rules';
import { createPaymentStore, type PaymentRow } from '../charges/store';
import { paymentContract as contract } from '../contract';
import { refreshRefund, retry, submit } from '../refunds/refund';
import { createRefundStore } from '../refunds/store';
import { abandon, settle } from '../settlement/settle';
import type { Till } from '../stripe/attempt';
import { createStripe } from '../stripe/door';
import { createWebhookStore } from '../webhooks/store';
import { act, follow, isOfPayment } from '../webhooks/webhooks';
import { created, ok, servePeople } from './people';

export interface PaymentOptions {
  /** How long one request to Stripe may take, if not the default. */
  stripeTimeoutMs?: number;
  /** How long a client waits before it is answered that its payment or refund is under way: ten seconds. */
  answerWithinMs?: number;
}

/** The payment service. */
export function definePaymentService({ stripeTimeoutMs, answerWithinMs }: PaymentOptions = {}): ServiceDefinition {
  return {
    name: 'payment',
    contract,
    async routes(service, { config, database, changes, sagas }) {
      const { db } = database;
      const stripe = createStripe(config, stripeTimeoutMs);
      const payments = createPaymentStore(db, config.PLATFORM_FEE_PERCENT);
      const refunds = createRefundStore(db);
      const accounts = createAccountStore(db);
      const webhooks = createWebhookStore(db);
      const till: Till = { payments, refunds, stripe };

      /** Settles what is marked. Of a refund that is not made at once booking would never hear again, so that it gets a saga. */
      const settled = async (marked: PaymentRow | null, key: string) => {
        if (!marked) return null;
        await settle(till, marked, key);
        await follow(sagas, marked, await refunds.handOver(marked.id));
        // Read after that: what became of a refund before is in it, what becomes of it later is its saga's.
        return stateOf(await payments.get(marked.id));
      };

      servePeople(service, { db, till, sagas, changes, answerWithinMs });

      service.serve(contract.stripeWebhook, async ({ rawBody, headers }) => {
        const event = stripe.readEvent(rawBody, headers['stripe-signature']);
        // An event that was noted and not acted on, because of a crash in between, is acted on when it comes again.
        const isToDo = isOfPayment(event);
        const received = await webhooks.receive(event, isToDo);
        if (isToDo && received !== 'processed') {
          await act(till, sagas, event, { again: received === 'again' });
          await webhooks.processed(event.id);
        }
        return ok({ received: true as const });
      });

      service.serve(contract.createAccount, async ({ body, idempotencyKey }) => {
        await openAccount(accounts, stripe, idempotencyKey, body);
        return created({ userId: body.userId });
      });

      service.serve(contract.removeAccount, async ({ params }) => {
        await removeAccount(accounts, stripe, params.userId);
        return ok({ userId: params.userId });
      });

      service.serve(contract.chargeBooking, async ({ params, body, idempotencyKey }) => {
        const begun = await payments.beginBookingCharge(idempotencyKey, params.bookingId, body);
        return ok(await charge(till, begun));
      });

      service.serve(contract.settleBooking, async ({ params, idempotencyKey }) => {
        return ok({ payment: await settled(await payments.settleBooking(params.bookingId), idempotencyKey) });
      });

      service.serve(contract.getPaymentState, async ({ params }) => {
        return ok(detailsOf(await payments.get(params.id)));
      });

      service.serve(contract.chargePayment, async ({ params, idempotencyKey }) => {
        const begun = await payments.beginCharge(idempotencyKey, params.id);
        return ok(await charge(till, begun));
      });

      service.serve(contract.capturePayment, async ({ params, idempotencyKey }) => {
        const begun = await payments.beginCapture(idempotencyKey, params.id);
        return ok(await capture(till, begun));
      });

      service.serve(contract.refreshPayment, async ({ params }) => {
        return ok(stateOf(await refresh(till, await payments.get(params.id))));
      });

      service.serve(contract.abandonPayment, async ({ params, idempotencyKey }) => {
        return ok(await abandon(till, await payments.get(params.id), idempotencyKey));
      });

      service.serve(contract.settlePayment, async ({ params, idempotencyKey }) => {
        return ok({ payment: await settled(await payments.settlePayment(params.id), idempotencyKey) });
      });

      service.serve(contract.releaseEarnings, async ({ params, idempotencyKey: key, fingerprint }) => {
        return ok(await payments.releaseEarnings({ owner: 'service', key, fingerprint }, params.id));
      });

      service.serve(contract.createRefund, async ({ params, body, idempotencyKey: key, fingerprint }) => {
        return created(await refunds.create({ owner: 'service', key, fingerprint }, params.id, body));
      });

      service.serve(contract.getRefundState, async ({ params }) => {
        const refund = await refunds.get(params.id);
        return ok(refundStateOf(refund, await payments.get(refund.paymentId)));
      });

      service.serve(contract.submitRefund, async ({ params, idempotencyKey }) => {
        const { refund, payment } = await submit(till, params.id, idempotencyKey);
        return ok(refundStateOf(refund, payment));
      });

      service.serve(contract.retryRefund, async ({ params, body, idempotencyKey }) => {
        const { refund, payment } = await retry(till, params.id, body.number, idempotencyKey);
        return ok(refundStateOf(refund, payment));
      });

      service.serve(contract.closeRefund, async ({ params, body }) => {
        const { refund, payment } = await refunds.close(params.id, body.as);
        return ok(refundStateOf(refund, payment));
      });

      service.serve(contract.refreshRefund, async ({ params }) => {
        return ok(await refreshRefund(till, params.id));
      });

      return undefined;
    },
  };
}

export const paymentService = definePaymentService();
