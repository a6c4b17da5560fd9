import { z } from 'zod';
import { disputeWorkflowId } from '../../workflows/dispute.api';
import { confirmedBooking, pay, type Scenario } from '../recording-cast';
import { itemsSchema, type Person, type Stage, until } from '../recording-stage';

// Stories of disputes.

/** Ends of what the bank reads, at the sandbox. */
const EVIDENCE = { winning: 'winning_evidence', losing: 'losing_evidence' } as const;
/** A deadline of the bank that leaves a payee so many seconds: evidence is sent a day before. */
const dueIn = (seconds: number) => Math.floor(Date.now() / 1_000) + 24 * 3_600 + seconds;

/** The holder of a card disputes a payment, and its saga is there. @returns the dispute, here and at Stripe */
async function disputed(stage: Stage, payee: Person, paymentId: string, asked: object) {
  const atStripe = await stage.dispute(paymentId, asked);
  const read = () => stage.api(itemsSchema, 'GET', '/api/disputes', { who: payee });
  await until('the dispute is known', async () => (await read()).items.length > 0);
  const [{ id = '' } = {}] = (await read()).items;
  return { id, atStripe, workflowId: disputeWorkflowId(id) };
}

async function ofBooking(stage: Stage, asked: object) {
  const { student, tutor, id } = await confirmedBooking(stage);
  const { payment } = await stage.readBooking(student, id);
  return { tutor, ...(await disputed(stage, tutor, String(payment?.id), asked)) };
}

async function ofPayment(stage: Stage, asked: object) {
  const { tutor, id, workflowId } = await pay(stage, 'pm_card_visa', [201]);
  await stage.settled(workflowId, 'Completed');
  return { tutor, ...(await disputed(stage, tutor, id, asked)) };
}

const state = (stage: Stage, who: Person, id: string, text: string) =>
  stage.api(z.unknown(), 'PUT', `/api/disputes/${id}/evidence`, { who, body: { text } });

const over = async (stage: Stage, workflowId: string) => {
  await stage.settled(workflowId, 'Completed');
  return workflowId;
};

export const scenarios: Record<string, Scenario> = {
  // Its payee says something in time, which is sent, and the bank reads it.
  won: async (stage) => {
    const { tutor, id, workflowId } = await ofBooking(stage, { due_by: dueIn(15) });
    await stage.settled(workflowId, 'AwaitingTutor');
    await state(stage, tutor, id, EVIDENCE.winning);
    return over(stage, workflowId);
  },
  lost: async (stage) => {
    const { tutor, id, workflowId } = await ofPayment(stage, { due_by: dueIn(15) });
    await stage.settled(workflowId, 'AwaitingTutor');
    await state(stage, tutor, id, EVIDENCE.losing);
    return over(stage, workflowId);
  },
  inquiry: async (stage) => {
    const { atStripe, workflowId } = await ofBooking(stage, { inquiry: true });
    await stage.settled(workflowId, 'AwaitingTutor');
    await stage.connect(`disputes/${atStripe}`, { to: 'closed' });
    return over(stage, workflowId);
  },
  escalated: async (stage) => {
    const { atStripe, workflowId } = await ofBooking(stage, { inquiry: true });
    await stage.settled(workflowId, 'AwaitingTutor');
    await stage.connect(`disputes/${atStripe}`, { to: 'escalated' });
    await until('its payee is told', async () => (await stage.detailsOf(workflowId)).includes('a chargeback'));
    await stage.connect(`disputes/${atStripe}`, { to: 'lost' });
    return over(stage, workflowId);
  },
  // Nobody says anything of a direct payment, of which the platform knows nothing.
  'not-answered': async (stage) => {
    const { atStripe, workflowId } = await ofPayment(stage, { due_by: dueIn(5) });
    await until('it is too late', async () => (await stage.detailsOf(workflowId)).includes('nothing was sent'));
    await stage.connect(`disputes/${atStripe}`, { to: 'lost' });
    return over(stage, workflowId);
  },
};
