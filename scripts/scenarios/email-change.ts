import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { emailChangeNews, emailChangeSaga } from '../../workflows/email-change.api';
import type { Scenario } from '../recording-cast';
import { type Person, type Stage, until } from '../recording-stage';

// Stories of changes of an address.

const PASSWORD = 'correct horse battery staple';
const CONFIRM = 'Please confirm your new e-mail address';
const TAKE_BACK = 'Your account has another e-mail address';
const WELCOME = 'Welcome to TutorConnect: please confirm your e-mail address';

const meSchema = z.looseObject({ email: z.string() });
const askedSchema = z.looseObject({ requestId: z.string() });

/** Somebody whose address is known to be theirs, and that address. */
async function proven(stage: Stage): Promise<{ who: Person; from: string }> {
  const who = await stage.register('student');
  const { email: from } = await stage.api(meSchema, 'GET', '/api/auth/me', { who });
  const token = await stage.tokenIn(WELCOME, from);
  await stage.api(z.unknown(), 'POST', '/api/auth/verify-email', { body: { token }, expect: [204] });
  return { who, from };
}

/** Has another address asked for; its saga waits for the link to be used. */
async function asked(stage: Stage, who: Person, to = `${randomUUID()}@recording.example`) {
  const body = { email: to, password: PASSWORD };
  const path = `/api/users/${who.id}/change-email`;
  const { requestId } = await stage.api(askedSchema, 'POST', path, { who, body, expect: [202] });
  const token = await stage.tokenIn(CONFIRM, to);
  const workflowId = emailChangeSaga.workflowId({ requestId });
  await stage.settled(workflowId, 'Running');
  return { requestId, workflowId, to, token };
}

const confirm = (stage: Stage, token: string, expect = [204]) =>
  stage.api(z.unknown(), 'POST', '/api/auth/email-change/confirm', { body: { token }, expect });

/** Lets the time be over until which a change stands as it does, and has its saga look. */
async function runOut(stage: Stage, { requestId, workflowId }: { requestId: string; workflowId: string }) {
  await stage.database('identity')`
    update email_changes set confirm_until = now(), revert_until = case when revert_until is not null then now() end
    where id = ${requestId}`;
  await stage.client.workflow.getHandle(workflowId).signal(emailChangeNews, {});
}

async function made(stage: Stage) {
  const { who, from } = await proven(stage);
  const change = await asked(stage, who);
  await confirm(stage, change.token);
  await stage.settled(change.workflowId, 'Confirmed');
  return { ...change, who, from };
}

export const scenarios: Record<string, Scenario> = {
  // It can be taken back still.
  confirmed: async (stage) => (await made(stage)).workflowId,
  kept: async (stage) => {
    const change = await made(stage);
    await runOut(stage, change);
    await stage.settled(change.workflowId, 'Completed');
    return change.workflowId;
  },
  'kept-of-an-unproven-address': async (stage) => {
    const { workflowId, token } = await asked(stage, await stage.register('student'));
    await confirm(stage, token);
    await stage.settled(workflowId, 'Completed');
    return workflowId;
  },
  reverted: async (stage) => {
    const { workflowId, from } = await made(stage);
    const body = { token: await stage.tokenIn(TAKE_BACK, from) };
    await stage.api(z.unknown(), 'POST', '/api/auth/email-change/revert', { body, expect: [204] });
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  taken: async (stage) => {
    const { workflowId, to, token } = await asked(stage, (await proven(stage)).who);
    const somebody = { password: PASSWORD, role: 'student', firstName: 'Ada', lastName: 'King' };
    await stage.api(z.unknown(), 'POST', '/api/auth/register', { body: { ...somebody, email: to } });
    await confirm(stage, token, [409]);
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  replaced: async (stage) => {
    const { who } = await proven(stage);
    const { workflowId } = await asked(stage, who);
    await asked(stage, who);
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  expired: async (stage) => {
    const change = await asked(stage, (await proven(stage)).who);
    await runOut(stage, change);
    await stage.settled(change.workflowId, 'Compensated');
    return change.workflowId;
  },
  'cancelled-by-operator': async (stage) => {
    const { workflowId } = await asked(stage, (await proven(stage)).who);
    await stage.client.workflow.getHandle(workflowId).cancel();
    await stage.settled(workflowId, 'Compensated');
    return workflowId;
  },
  // For longer than local attempts last.
  'notification-away': async (stage) => {
    const { who } = await proven(stage);
    const body = { email: `${randomUUID()}@recording.example`, password: PASSWORD };
    let workflowId = '';
    await stage.without('notification', async () => {
      const path = `/api/users/${who.id}/change-email`;
      const { requestId } = await stage.api(askedSchema, 'POST', path, { who, body, expect: [202] });
      workflowId = emailChangeSaga.workflowId({ requestId });
      await until('the step is recorded', async () => (await stage.scheduledOf(workflowId)).includes('proposeAddress'));
    });
    await confirm(stage, await stage.tokenIn(CONFIRM, body.email));
    await stage.settled(workflowId, 'Confirmed');
    return workflowId;
  },
};
