import type { Reply } from './client';
import type { DisputeRecord } from './records';
import type { SandboxState } from './stripe-state';
import { type DisputeView, refusalSchema } from './wire';

const isOk = (reply: Reply) => reply.status < 300;

/**
 * What was said against a dispute, was promised to be so, and is not, and refusals without a reason, in sentences. `shown`: the dispute as its
 * payee sees it. `atStripe`: as Stripe has it.
 */
export function judgeDispute(
  { paymentId, statement, stripeId, stated, submitted, accepted }: Omit<DisputeRecord, 'plan' | 'payee'>,
  shown: DisputeView | undefined,
  atStripe: SandboxState['disputes'][number] | undefined,
): string[] {
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`the dispute of payment ${paymentId} (${shown?.status ?? 'not there'}): ${what}`);
  };
  if (stripeId === undefined) return wrong;
  expect(shown !== undefined && shown.status === atStripe?.status, `Stripe says ${atStripe?.status ?? 'nothing'}`);
  const said = ({ status, code }: Reply) => `${status} ${code ?? ''}`.trim();
  if (stated) {
    expect(isOk(stated), `what its payee says was refused for no reason: ${said(stated)}`);
    expect(!isOk(stated) || shown?.statement === statement, 'what its payee says is not there');
  }
  if (submitted) {
    const isSent = (atStripe?.evidence_details.submission_count ?? 0) > 0;
    const isSaid = isSent && atStripe?.evidence.uncategorized_text === statement;
    if (isOk(submitted)) expect(isSaid, 'what speaks against it was promised to be sent, and Stripe has not got it');
    else
      expect(
        isSent || isRefusedByStripe(submitted),
        `what speaks against it was not sent for no reason: ${said(submitted)}`,
      );
  }
  if (accepted) {
    expect(isOk(accepted), `it was not given up for no reason: ${said(accepted)}`);
    expect(!isOk(accepted) || shown?.accepted === true, 'it was given up, and does not say so');
  }
  return wrong;
}

/** It names Stripe's own reason. */
function isRefusedByStripe({ code, body }: Reply): boolean {
  return code === 'invalid_state' && refusalSchema.parse(body).stripeCode !== undefined;
}
