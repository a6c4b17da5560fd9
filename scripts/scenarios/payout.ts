import { payoutWorkflowId } from '../../workflows/payout.api';
import { pay, type Scenario } from '../recording-cast';
import { createdSchema, type Stage, until } from '../recording-stage';

// Stories of payouts. The platform that they are played on lets earnings rest for no day (`EARNINGS_HOLD_DAYS`).

const BANK = { currency: 'eur', country: 'DE', account_number: 'DE89370400440532013000' };

/** A tutor who has earned something that is payable. @returns what opens the payout of it: the saga's id */
async function earner(stage: Stage, { onboarded = true } = {}) {
  await stage.connect('settings', { onboarding: 'required', payoutPendingMs: 3_600_000 });
  const { tutor, workflowId } = await pay(stage, 'pm_card_visa', [201]);
  await stage.settled(workflowId, 'Completed');
  const account = await stage.accountOf(tutor);
  const onboard = () => stage.connect(`accounts/${account}/onboarding`, { banks: [BANK] });
  if (onboarded) await onboard();
  const open = async () => {
    const made = await stage.api(createdSchema, 'POST', '/api/payouts/initiate', { who: tutor, body: {} });
    return payoutWorkflowId(made.id);
  };
  return { tutor, account, onboard, open };
}

/** A payout that is on its way to the bank, and what has the bank say something of it. */
async function atTheBank(stage: Stage) {
  const { account, open } = await earner(stage);
  const workflowId = await open();
  await stage.settled(workflowId, 'Confirmed');
  const bankSays = async (word: object) => stage.connect(`payouts/${await stage.payoutAtStripe(account)}`, word);
  return { workflowId, bankSays };
}

async function isPaid(stage: Stage, workflowId: string): Promise<void> {
  const says = async () => String(await stage.detailsOf(workflowId));
  await until(`${workflowId} is paid`, async () => (await says()).includes('may send it back until'));
  await stage.settled(workflowId, 'Confirmed');
}

export const scenarios: Record<string, Scenario> = {
  // Five business days long the bank may send it back: the history ends before that.
  paid: async (stage) => {
    const { workflowId, bankSays } = await atTheBank(stage);
    await bankSays({ to: 'paid' });
    await isPaid(stage, workflowId);
    return workflowId;
  },
  'refused-by-the-bank': async (stage) => {
    const { workflowId, bankSays } = await atTheBank(stage);
    await bankSays({ to: 'failed', code: 'no_account' });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'sent-back-after-it-was-paid': async (stage) => {
    const { workflowId, bankSays } = await atTheBank(stage);
    await bankSays({ to: 'paid' });
    await isPaid(stage, workflowId);
    await bankSays({ to: 'failed', code: 'account_closed' });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  'waits-for-its-payee': async (stage) => {
    const { onboard, open } = await earner(stage, { onboarded: false });
    const workflowId = await open();
    await stage.settled(workflowId, 'AwaitingTutor');
    await onboard();
    await stage.settled(workflowId, 'Confirmed');
    return workflowId;
  },
  'called-off-by-an-operator': async (stage) => {
    const { open } = await earner(stage, { onboarded: false });
    const workflowId = await open();
    await stage.settled(workflowId, 'AwaitingTutor');
    await stage.client.workflow.getHandle(workflowId).cancel();
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'stripe-does-not-send-it': async (stage) => {
    const { open } = await earner(stage);
    await stage.fault({
      kind: 'refuse_400',
      code: 'bank_account_unusable',
      match: { method: 'POST', path: '/v1/payouts' },
    });
    const workflowId = await open();
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  'not-fetched-back': async (stage) => {
    const { workflowId, bankSays } = await atTheBank(stage);
    const path = '/v1/transfers/*/reversals';
    await stage.fault({ kind: 'refuse_400', code: 'balance_insufficient', match: { method: 'POST', path } });
    await bankSays({ to: 'failed', code: 'account_closed' });
    await stage.settled(workflowId, 'NeedsAttention');
    await stage.update(workflowId, 'resolve', { step: 'return', action: 'waived', noteId: null });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
};
