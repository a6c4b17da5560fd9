import type { Subject } from '../../../kernel/payment-subject';
import { checkFolds } from '../../../platform/fold';
import type { Service } from '../../../platform/http-server';
import { byService } from '../../../platform/idempotency';
import { created, done, ok } from '../../../platform/replies';
import type { Logger } from '../../../platform/telemetry';
import type { Sagas } from '../../../platform/temporal';
import { openAccount, removeAccount } from '../accounts/account';
import { capture, charge } from '../charges/charge';
import { detailsOf, stateOf } from '../charges/rules';
import { beginCapture, beginCharge, beginDirectCharge } from '../charges/store/attempts';
import { type PaymentRow, readPayment } from '../charges/store/payments';
import { paymentContract as contract } from '../contract';
import { openDueDebts } from '../debts/opening';
import { lookAtDebt, settleDebt } from '../debts/store';
import { refreshDispute, submitEvidence } from '../disputes/dispute';
import { findDisputes } from '../disputes/finding';
import { disputeStateOf } from '../disputes/rules';
import { wakeRefundsOf, wakeUnseenDisputes } from '../disputes/sagas';
import { closeDispute, type DisputeView } from '../disputes/store/disputes';
import { noteGathered } from '../disputes/store/evidence';
import { releaseEarnings } from '../earnings/store';
import { sweepEarnings } from '../earnings/sweep';
import { foldedTables } from '../folds/store';
import {
  check,
  refreshPayout,
  returnPayout,
  reverse,
  send,
  settleByHand as settlePayout,
  transfer,
} from '../payouts/payout';
import { payoutStateOf } from '../payouts/rules';
import { cancelPayout } from '../payouts/store/at-stripe';
import { freezePayouts, thawPayouts } from '../payouts/store/freezing';
import { type PayoutRow, readPayoutDetails, startPayout } from '../payouts/store/payouts';
import { sweepPayouts } from '../payouts/sweep';
import { openWeek } from '../payouts/week';
import { issue, issueCreditNotes } from '../receipts/issuing';
import type { NameSealer } from '../receipts/sealed-names';
import { dueReceipts } from '../receipts/store';
import { refreshRefund, refreshRefunds } from '../refunds/refresh';
import { giveUp, retry, submit } from '../refunds/refund';
import { refundStateOf } from '../refunds/rules';
import { wakeRefundSagas, wakeUnattended } from '../refunds/sagas';
import { closeRefund, settleByHand } from '../refunds/store/by-hand';
import { type RefundAndPayment, readRefund } from '../refunds/store/refunds';
import { createRefund, refundShare } from '../refunds/store/requests';
import { refresh } from '../settlement/refresh';
import { abandon, settle } from '../settlement/settle';
import { handOverRefunds, markPaymentSettled, markSubjectSettled } from '../settlement/store';
import { sweepPayments } from '../settlement/sweep';
import type { Till } from '../till';

const disputeOf = ({ dispute, payment, statement }: DisputeView) => ok(disputeStateOf(dispute, payment, statement));

const payoutOf = (payout: PayoutRow) => ok(payoutStateOf(payout));

const bookingOf = ({ bookingId: id }: { bookingId: string }): Subject => ({ kind: 'booking', id });

/** So many receipts are issued in one sweep: 72,000 a day. */
const MOST_RECEIPTS = 100;

/** By what steps are carried out. */
interface Carrying {
  sagas: Sagas;
  logger: Logger;
  sealer: NameSealer;
}

/** What the activities of sagas call. */
export function serveSagaSteps(service: Service, till: Till, { sagas, logger, sealer }: Carrying): void {
  const { db, feePercent } = till;

  service.serve(contract.createAccount, async ({ body, idempotencyKey }) => {
    await openAccount(till, idempotencyKey, body);
    return created({ userId: body.userId });
  });

  service.serve(contract.removeAccount, async ({ params }) => {
    await removeAccount(till, params.userId);
    return ok({ userId: params.userId });
  });

  service.serve(contract.freezePayouts, async (call) => {
    await freezePayouts(db, byService(call), { ...call.params, ...call.body });
    return done;
  });

  service.serve(contract.thawPayouts, async (call) => {
    await thawPayouts(db, byService(call), { ...call.params, ...call.body });
    return done;
  });

  service.serve(contract.chargeBooking, async ({ params, body, idempotencyKey }) => {
    const begun = await beginCharge(db, idempotencyKey, bookingOf(params), body, feePercent);
    return ok(await charge(till, begun));
  });

  /** Settles a payment that is marked. A refund that is not made at once gets a saga: without one, booking would never hear of its end. */
  const settled = async (marked: PaymentRow | null, key: string) => {
    if (!marked) return null;
    await settle(till, marked, key);
    await wakeRefundSagas(sagas, marked, await handOverRefunds(db, marked.id));
    // The payment is read last: it shows what became of a refund before the handing over, and the refund's saga tells what comes later.
    return stateOf(await readPayment(db, marked.id));
  };

  service.serve(contract.settleBooking, async ({ params, idempotencyKey }) => {
    return ok({ payment: await settled(await markSubjectSettled(db, bookingOf(params)), idempotencyKey) });
  });

  service.serve(contract.settleBookingByHand, async (call) => {
    await settleByHand(db, byService(call), bookingOf(call.params), call.body);
    return done;
  });

  service.serve(contract.getPaymentState, async ({ params }) => {
    return ok(detailsOf(await readPayment(db, params.id)));
  });

  service.serve(contract.chargePayment, async ({ params, idempotencyKey }) => {
    const begun = await beginDirectCharge(db, idempotencyKey, params.id);
    return ok(await charge(till, begun));
  });

  service.serve(contract.capturePayment, async ({ params, idempotencyKey }) => {
    const begun = await beginCapture(db, idempotencyKey, params.id);
    return ok(await capture(till, begun));
  });

  service.serve(contract.refreshPayment, async ({ params }) => {
    const payment = await refresh(till, await readPayment(db, params.id));
    await wakeUnattended(till, sagas, payment);
    return ok(stateOf(payment));
  });

  service.serve(contract.abandonPayment, async ({ params, idempotencyKey }) => {
    return ok(await abandon(till, await readPayment(db, params.id), idempotencyKey));
  });

  service.serve(contract.settlePayment, async ({ params, idempotencyKey }) => {
    return ok({ payment: await settled(await markPaymentSettled(db, params.id), idempotencyKey) });
  });

  service.serve(contract.settlePaymentByHand, async (call) => {
    await settleByHand(db, byService(call), { id: call.params.id }, call.body);
    return done;
  });

  service.serve(contract.releaseEarnings, async (call) => {
    const { notBefore = null } = call.body ?? {};
    return ok(await releaseEarnings(till, byService(call), call.params.id, notBefore));
  });

  service.serve(contract.sweepEarnings, async () => ok(await sweepEarnings(till)));

  service.serve(contract.sweepPayments, async () => ok(await sweepPayments(till, sagas)));

  service.serve(contract.createRefund, async (call) => {
    return created(await createRefund(db, byService(call), call.params.id, call.body));
  });

  service.serve(contract.refundShare, async (call) => {
    const payment = await refreshRefunds(till, await readPayment(db, call.params.id));
    const share = await refundShare(db, byService(call), payment.id, call.body);
    await wakeUnattended(till, sagas, payment);
    return ok(share);
  });

  service.serve(contract.getRefundState, async ({ params }) => {
    const refund = await readRefund(db, params.id);
    return ok(refundStateOf(refund, await readPayment(db, refund.paymentId)));
  });

  /** Stripe was asked of all refunds of the payment: others than the one that was meant may have come to light. */
  const answered = async ({ refund, payment }: RefundAndPayment) => {
    await wakeUnattended(till, sagas, payment, refund.id);
    if (payment.disputed > 0) await wakeUnseenDisputes(till, sagas, payment);
    return ok(refundStateOf(refund, payment));
  };

  service.serve(contract.submitRefund, async ({ params, idempotencyKey }) => {
    return answered(await submit(till, params.id, idempotencyKey));
  });

  service.serve(contract.retryRefund, async ({ params, body, idempotencyKey }) => {
    return answered(await retry(till, params.id, body.number, idempotencyKey));
  });

  service.serve(contract.closeRefund, async ({ params, body }) => {
    const { refund, payment } = await closeRefund(db, params.id, body.as);
    return ok(refundStateOf(refund, payment));
  });

  service.serve(contract.giveUpRefund, async ({ params, body }) => {
    return answered(await giveUp(till, params.id, body.as));
  });

  service.serve(contract.refreshRefund, async ({ params }) => {
    return answered(await refreshRefund(till, params.id));
  });

  service.serve(contract.openWeeklyPayouts, async ({ body }) => ok(await openWeek(till, sagas, logger, body)));

  service.serve(contract.sweepPayouts, async () => ok(await sweepPayouts(till, sagas)));

  service.serve(contract.getPayoutDetails, async ({ params }) => ok(await readPayoutDetails(db, params.id)));

  service.serve(contract.startPayout, async ({ params }) => payoutOf(await startPayout(db, params.id)));

  service.serve(contract.cancelPayout, async ({ params, body }) => {
    return payoutOf(await cancelPayout(db, params.id, body.reason));
  });

  service.serve(contract.checkPayout, async ({ params }) => payoutOf(await check(till, params.id)));

  service.serve(contract.transferPayout, async ({ params, idempotencyKey }) => {
    return payoutOf(await transfer(till, params.id, idempotencyKey));
  });

  service.serve(contract.reverseTransfer, async ({ params, idempotencyKey }) => {
    return payoutOf(await reverse(till, params.id, idempotencyKey));
  });

  service.serve(contract.sendPayout, async ({ params, idempotencyKey }) => {
    return payoutOf(await send(till, params.id, idempotencyKey));
  });

  service.serve(contract.refreshPayout, async ({ params }) => payoutOf(await refreshPayout(till, params.id)));

  service.serve(contract.returnPayout, async ({ params, idempotencyKey }) => {
    return payoutOf(await returnPayout(till, params.id, idempotencyKey));
  });

  service.serve(contract.settlePayoutByHand, async ({ params, body }) => {
    return payoutOf(await settlePayout(till, params.id, body));
  });

  service.serve(contract.dueReceipts, async () => ok({ items: await dueReceipts(db, MOST_RECEIPTS) }));

  service.serve(contract.issueReceipt, async ({ params, body }) => {
    return ok({ issued: await issue(till, sealer, params.id, body) });
  });

  service.serve(contract.issueCreditNotes, async () => ok({ issued: await issueCreditNotes(till) }));

  service.serve(contract.openDebts, async ({ body }) => ok(await openDueDebts(till, { sagas, logger }, body)));

  service.serve(contract.lookAtDebt, async ({ params }) => ok(await lookAtDebt(db, params)));

  service.serve(contract.settleDebt, async ({ params, body }) => ok(await settleDebt(db, params, body)));

  service.serve(contract.checkFolds, async ({ body }) => ok(await checkFolds(till.db, foldedTables, body)));
  service.serve(contract.findDisputes, async ({ body }) => ok(await findDisputes(till, { sagas, logger }, body)));

  service.serve(contract.lookAtDispute, async ({ params }) => {
    const view = await refreshDispute(till, params.id);
    // The look itself may be the first to hear of it: the webhook that comes after it tells nothing new then.
    if (view.dispute.decidedAt) await wakeRefundsOf(till, sagas, view.payment);
    return disputeOf(view);
  });

  service.serve(contract.gatherEvidence, async ({ params, body }) => {
    return disputeOf(await noteGathered(db, params.id, body));
  });

  service.serve(contract.submitEvidence, async ({ params, idempotencyKey }) => {
    return disputeOf((await submitEvidence(till, params.id, idempotencyKey)).view);
  });

  service.serve(contract.closeDispute, async ({ params, body }) => {
    return disputeOf(await closeDispute(db, params.id, body.version));
  });
}
