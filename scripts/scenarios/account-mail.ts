import { z } from 'zod';
import type { Scenario } from '../recording-cast';
import { type Stage, until } from '../recording-stage';

// Stories of mails with a link.

const meSchema = z.looseObject({ email: z.string() });

async function idsOf(stage: Stage): Promise<Set<string>> {
  const ids = new Set<string>();
  const query = `WorkflowType = 'accountMail'`;
  for await (const { workflowId } of stage.client.workflow.list({ query })) ids.add(workflowId);
  return ids;
}

/** Has a mail asked for; the id of its saga. */
async function asked(stage: Stage, ask: () => Promise<unknown>): Promise<string> {
  const before = await idsOf(stage);
  await ask();
  let workflowId = '';
  await until('a mail has a saga', async () => {
    const [found] = [...(await idsOf(stage))].filter((id) => !before.has(id));
    workflowId = found ?? '';
    return found !== undefined;
  });
  await stage.settled(workflowId, 'Completed');
  return workflowId;
}

const forgot = (stage: Stage, email: string) =>
  stage.api(z.unknown(), 'POST', '/api/auth/forgot-password', { body: { email }, expect: [202] });

export const scenarios: Record<string, Scenario> = {
  'password-reset': async (stage) => {
    const who = await stage.register('student');
    const { email } = await stage.api(meSchema, 'GET', '/api/auth/me', { who });
    return asked(stage, () => forgot(stage, email));
  },
  'email-verification': async (stage) => {
    const who = await stage.register('student');
    return asked(stage, () => stage.api(z.unknown(), 'POST', '/api/auth/verify-email/resend', { who, expect: [204] }));
  },
  'nobody-has-the-address': (stage) => asked(stage, () => forgot(stage, 'nobody@recording.example')),
  // For longer than local attempts last.
  'notification-away': async (stage) => {
    const who = await stage.register('student');
    const { email } = await stage.api(meSchema, 'GET', '/api/auth/me', { who });
    let workflowId = '';
    await stage.without('notification', async () => {
      const before = await idsOf(stage);
      await forgot(stage, email);
      await until('the mail is a recorded step', async () => {
        [workflowId = ''] = [...(await idsOf(stage))].filter((id) => !before.has(id));
        return workflowId !== '' && (await stage.scheduledOf(workflowId)).includes('sendAccountMail');
      });
    });
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
};
