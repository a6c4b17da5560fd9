import { Context, type Info } from '@temporalio/activity';
import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { z } from 'zod';
import { currentContext } from '../platform/telemetry';
import { TRACE_HEADER } from '../platform/temporal';
import { activityContext } from './activity-context';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

/** In which context an activity runs that was called with these headers. */
async function contextOf(headers: Headers, more: Partial<Info> = {}) {
  const environment = new MockActivityEnvironment({
    ...more,
    activityId: '7',
    workflowExecution: { workflowId: 'booking:b1', runId: 'r1' },
  });
  return environment.run(async () => {
    const { inbound } = activityContext(Context.current());
    return inbound?.execute?.({ args: [], headers }, async () => currentContext());
  });
}

test('an activity runs in the trace of the request that started its workflow, as a span of its own', async () => {
  const parent = `00-${TRACE}-b7ad6b7169203331-01`;
  const context = await contextOf({ [TRACE_HEADER]: defaultPayloadConverter.toPayload(parent) });
  expect(context).toMatchObject({ traceparent: expect.stringMatching(`^00-${TRACE}-`) });
  expect(context).not.toMatchObject({ traceparent: parent });
});

test('without a trace it begins one', async () => {
  expect(await contextOf({})).toMatchObject({ traceparent: expect.stringMatching(/^00-[0-9a-f]{32}-[0-9a-f]{16}-/) });
});

test('its calls and log lines carry the workflow and the step in place of a request id', async () => {
  expect(await contextOf({})).toMatchObject({ requestId: 'booking.b1.7' });
});

test.each([
  ['a local attempt', { isLocal: true, startToCloseTimeoutMs: 3_000 }, 2_000],
  ['a recorded one', { isLocal: false, startToCloseTimeoutMs: 45_000 }, 44_500],
])('%s has time until shortly before it is over', async (_, info, lasts) => {
  const began = Date.now();
  const context = await contextOf({}, info);
  const deadline = z.looseObject({ deadline: z.number() }).parse(context).deadline;
  expect(deadline).toBeGreaterThanOrEqual(began + lasts);
  expect(deadline).toBeLessThanOrEqual(Date.now() + lasts);
});
