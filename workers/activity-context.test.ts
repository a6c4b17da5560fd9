import { Context } from '@temporalio/activity';
import { defaultPayloadConverter, type Headers } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { currentContext } from '../platform/telemetry';
import { TRACE_HEADER } from '../platform/temporal';
import { activityContext } from './activity-context';

const TRACE = '0af7651916cd43dd8448eb211c80319c';

/** In which context an activity runs that was called with these headers. */
async function contextOf(headers: Headers) {
  const environment = new MockActivityEnvironment({
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
