import { z } from 'zod';
import { refundWorkflowId } from '../../workflows/refund.api';
import { act, confirmedBooking, DAYS, pay, reason, type Scenario } from '../recording-cast';
import { createdSchema, itemsSchema, type Stage, until } from '../recording-stage';

// Stories of refunds.

const giveBack = async (stage: Stage, card: string) => {
  const { tutor, id, workflowId } = await pay(stage, card, [201]);
  await stage.settled(workflowId, 'Completed');
  const made = await stage.api(createdSchema, 'POST', `/api/payments/${id}/refund`, { who: tutor, body: reason });
  return refundWorkflowId(made.id);
};

/** A refund that Stripe refuses: because of what `before` has done there, or for a reason of its own. */
async function refusedRefund(stage: Stage, before?: (paymentId: string) => Promise<void>) {
  const { tutor, id, workflowId: payment } = await pay(stage, 'pm_card_visa', [201]);
  await stage.settled(payment, 'Completed');
  const refusal = { kind: 'refuse_400', code: 'charge_disputed', match: { method: 'POST', path: '/v1/refunds' } };
  await (before ? before(id) : stage.fault(refusal));
  const path = `/api/payments/${id}/refund`;
  const refused = z.looseObject({ refundId: z.string() });
  const { refundId } = await stage.api(refused, 'POST', path, { who: tutor, body: reason, expect: [409] });
  return { id, workflowId: refundWorkflowId(refundId) };
}

/** Has a payment disputed so late that what speaks against it is sent at once. @returns its name at Stripe, once the bank reads it */
async function sentToBank(stage: Stage, paymentId: string): Promise<string> {
  const dueBy = Math.floor(Date.now() / 1_000) + 20 * 3_600;
  const id = await stage.dispute(paymentId, { due_by: dueBy });
  await until('the bank reads it', async () => (await stage.disputeStatus(id)) === 'under_review');
  return id;
}

/** The refund of a cancelled booking whose payment is disputed. It waits for the bank. @returns the dispute's name at Stripe, too */
async function waiting(stage: Stage) {
  const { student, id, workflowId: booking } = await confirmedBooking(stage);
  const { payment } = await stage.readBooking(student, id);
  const atStripe = await sentToBank(stage, String(payment?.id));
  await act(stage, student, id, 'cancel', reason);
  const path = `/api/payments/${payment?.id}/refunds`;
  const { items } = await stage.api(itemsSchema, 'GET', path, { who: student });
  const workflowId = refundWorkflowId(String(items[0]?.id));
  await until('it waits', async () => (await stage.detailsOf(workflowId)).includes("the bank's decision"));
  return { atStripe, booking, workflowId };
}

export const scenarios: Record<string, Scenario> = {
  full: async (stage) => {
    const workflowId = await giveBack(stage, 'pm_card_visa');
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'succeeded-later': async (stage) => {
    const workflowId = await giveBack(stage, 'pm_card_pendingRefund');
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'part-of-a-booking': async (stage) => {
    const cast = await confirmedBooking(stage, 10);
    await act(stage, cast.student, cast.id, 'cancel', reason);
    await stage.settled(cast.workflowId, 'Compensated');
    const { payment: paid } = await stage.readBooking(cast.student, cast.id);
    const path = `/api/payments/${paid?.id}/refunds`;
    const { items } = await stage.api(itemsSchema, 'GET', path, { who: cast.student });
    return refundWorkflowId(String(items[0]?.id));
  },
  refused: async (stage) => {
    const { workflowId } = await refusedRefund(stage);
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.update(workflowId, 'resolve', { action: 'waived', noteId: null });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  // All of it was given back in Stripe's dashboard before, and nobody has heard of that.
  'place-taken': async (stage) => {
    const { workflowId } = await refusedRefund(stage, (id) => stage.refundAtStripe(id, { webhooks: 'lost' }));
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  // An operator does in Stripe's dashboard what the saga asks for, and says nothing.
  'made-in-the-dashboard': async (stage) => {
    const { id, workflowId } = await refusedRefund(stage);
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.refundAtStripe(id, { webhooks: 'sent' });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  // The payer has been told that it is made when their bank returns it.
  returned: async (stage) => {
    const workflowId = await giveBack(stage, 'pm_card_refundFail');
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.update(workflowId, 'resolve', { action: 'paid_elsewhere', noteId: null });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  // A booking is cancelled whose payment is disputed: what is owed is given back once the bank has decided for the tutor.
  'disputed-and-won': async (stage) => {
    const { atStripe, booking, workflowId } = await waiting(stage);
    await stage.connect(`disputes/${atStripe}`, { to: 'won' });
    await stage.settled(workflowId, 'Completed');
    await stage.settled(booking, 'Compensated');
    return workflowId;
  },
  // The bank gives the payer the money: nobody is owed it any more.
  'disputed-and-lost': async (stage) => {
    const { atStripe, booking, workflowId } = await waiting(stage);
    await stage.connect(`disputes/${atStripe}`, { to: 'lost' });
    await stage.settled(workflowId, 'Completed');
    await stage.settled(booking, 'Compensated');
    return workflowId;
  },
  // What Stripe was refunding fails as a bank takes the money, and is made again by itself after that.
  'failed-by-a-dispute': async (stage) => {
    const { student, tutor, id } = await confirmedBooking(stage, 10 * DAYS, 'pm_card_pendingRefund');
    const { payment } = await stage.readBooking(student, id);
    await stage.connect('settings', { refundDelayMs: 600_000 });
    const path = `/api/payments/${payment?.id}/refund`;
    // What is given back wholly nobody can dispute.
    const body = { amount: { amount: 1_000, currency: 'EUR' }, ...reason };
    const made = await stage.api(createdSchema, 'POST', path, { who: tutor, body, expect: [201, 202] });
    const workflowId = refundWorkflowId(made.id);
    await until('Stripe has it', async () => (await stage.detailsOf(workflowId)).includes('Stripe has it'));
    const atStripe = await sentToBank(stage, String(payment?.id));
    await until('it waits', async () => (await stage.detailsOf(workflowId)).includes("the bank's decision"));
    await stage.connect('settings', { refundDelayMs: 1_000 });
    await stage.connect(`disputes/${atStripe}`, { to: 'won' });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'failed-twice': async (stage) => {
    const workflowId = await giveBack(stage, 'pm_card_refundFail');
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.update(workflowId, 'resolve', { action: 'retry', noteId: null });
    await until('the refund is tried again', async () => {
      const { events } = await stage.client.workflow.getHandle(workflowId).fetchHistory();
      const retry = events?.find(
        (event) => event.activityTaskScheduledEventAttributes?.activityType?.name === 'retryRefund',
      );
      return (
        retry !== undefined &&
        events?.some(
          (event) =>
            String(event.activityTaskCompletedEventAttributes?.scheduledEventId ?? '') === String(retry.eventId),
        ) === true
      );
    });
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.update(workflowId, 'resolve', { action: 'waived', noteId: null });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
};
