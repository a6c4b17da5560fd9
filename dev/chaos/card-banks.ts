import { setTimeout as sleep } from 'node:timers/promises';
import type { DisputePlan, Verdict } from './plan';
import type { SandboxLine } from './sandbox-line';
import { disputesAtStripe, type SandboxState } from './stripe-state';

/** What the holders of cards and their banks do about payments. Each is pursued until it is known what came of it. */
export interface CardBanks {
  /** The holder of the card disputes a payment. @returns its id at Stripe; undefined when nothing of it can be disputed any more */
  dispute(paymentId: string, plan: DisputePlan): Promise<string | undefined>;
  /** The bank decides, unless it cannot any more. */
  say(disputeId: string, verdict: Verdict): Promise<void>;
  /** The banks decide all that is open. */
  sayAll(): Promise<void>;
}

/** What Stripe tells when a dispute is opened. */
const EVENTS_OF_AN_OPENING = ['charge.dispute.created', 'charge.dispute.funds_withdrawn'];
/** Less than a day: what speaks against it is sent at once. */
const FEW_HOURS_S = 12 * 3_600;
const AGAIN_AFTER_MS = 500;

/** The banks of a sandbox. */
export function createCardBanks({ ask, control, state }: SandboxLine): CardBanks {
  /** The dispute is not there yet, and `plan` is the only one that its payment ever has. */
  async function dispute(paymentId: string, plan: DisputePlan): Promise<string | undefined> {
    const { payment_intents: intents, charges } = await state();
    const paid = intents.find(({ metadata }) => metadata.paymentId === paymentId && metadata.inert === undefined);
    const charge = charges.find(({ payment_intent: of, status }) => of === paid?.id && status === 'succeeded');
    if (!charge) return undefined;
    if (plan.losesWebhooks)
      for (const type of EVENTS_OF_AN_OPENING)
        await control('POST', '/sandbox/faults', { kind: 'webhook_lose', match: { type } });
    for (;;) {
      const [made] = disputesAtStripe(await state(), paymentId);
      if (made) return made.id;
      // Asked once: it may have taken effect although no answer came.
      const json = JSON.stringify(bodyOf(charge, plan));
      const answer = await ask('POST', '/sandbox/disputes', json, { 'content-type': 'application/json' });
      if (answer?.status === 400) return undefined;
      if (!answer) await sleep(AGAIN_AFTER_MS);
    }
  }

  /** Stripe refuses what a bank cannot say any more. So an answer that was lost may be asked for again. */
  async function say(disputeId: string, { to, percent }: Verdict): Promise<void> {
    const dispute = (await state()).disputes.find(({ id }) => id === disputeId);
    const isPart = dispute && to === 'won' && percent !== 100;
    const body = { to, ...(isPart && { reinstated: partOf(dispute.amount, percent) }) };
    await control('POST', `/sandbox/disputes/${disputeId}`, body);
  }

  async function sayAll(): Promise<void> {
    const { disputes } = await state();
    for (const [number, { id, status }] of disputes.entries()) {
      if (status.startsWith('warning_')) await say(id, { to: 'closed', percent: 100 });
      else if (status === 'under_review') await say(id, { to: number % 2 === 0 ? 'won' : 'lost', percent: 100 });
      else await say(id, { to: 'lost', percent: 100 });
    }
  }

  return { dispute, say, sayAll };
}

function bodyOf({ id, amount_captured: paid }: SandboxState['charges'][number], plan: DisputePlan) {
  const { percent, inquiry, answerable } = plan;
  const now = Math.floor(Date.now() / 1_000);
  return {
    ...{ charge: id, inquiry, reason: 'product_not_received' },
    ...(percent !== 100 && { amount: partOf(paid, percent) }),
    ...(answerable !== 'for days' && { due_by: answerable === 'never' ? 0 : now + FEW_HOURS_S }),
  };
}

const partOf = (amount: number, percent: number) => Math.round((amount * percent) / 100);
