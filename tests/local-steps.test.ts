import { type Endpoint, endpoint, type Vendor } from '../platform/endpoint';
import { done } from '../platform/replies';
import { createMailer } from '../services/notification/mailer';
import { calledLocally, localSteps, stepPlays } from './support/local-steps';
import { startScriptedSmtp } from './support/mail';
import { type SagaStack, startSagaStack } from './support/saga-stack';
import { startTestService } from './support/service';

// A local step holds a slot of its worker and the workflow task of its saga. So no vendor, who may hang, stands behind one.

jest.setTimeout(120_000);

/** What came of a step: the vendors that the operations it called may reach, and `failed` if one of them let it down. */
type Outcome = Vendor | 'failed';

const outcomes = new Map<string, Set<Outcome>>();
let stack: SagaStack;
beforeAll(async () => {
  stack = await startSagaStack();
  for (const play of stepPlays()) await play(stack, noted);
});
afterAll(() => stack.close());

/** The activities, one after another; what came of each is noted. */
function noted<Activities extends object>(activities: Activities): Activities {
  return new Proxy(activities, {
    get(target, name, receiver) {
      const run: unknown = Reflect.get(target, name, receiver);
      if (typeof run !== 'function') return run;
      return async (input: unknown) => {
        const outcome = outcomes.get(String(name)) ?? new Set();
        outcomes.set(String(name), outcome);
        stack.called.length = 0;
        try {
          return await Reflect.apply(run, target, [input]);
        } catch (error) {
          outcome.add('failed');
          throw error;
        } finally {
          for (const { reaches = [] } of stack.called) for (const vendor of reaches) outcome.add(vendor);
        }
      };
    },
  });
}

/** Those of the steps that a vendor stands behind, or that do not work while one is away. */
const offenders = (steps: string[]) => steps.filter((step) => outcomes.get(step)?.size !== 0);

test('no vendor stands behind a step that runs as a local activity, and none fails while the mail server hangs', () => {
  expect(localSteps().length).toBeGreaterThan(15);
  expect(offenders(localSteps())).toEqual([]);
});

test('a step that reaches Stripe would be noticed, and one that was not played too', () => {
  const planted = calledLocally(`
    const local = proxyLocalActivities<PaymentActivities>(LOCAL_CALL);
    await saga.step('a', { do: (key) => local.submitRefund({ refundId, key }) });
    await local.closeRefund({ refundId });
    const tell = localFirst(proxyLocalActivities<Mail>(LOCAL_CALL).brandNew, late.brandNew);
    await saga.forward('refund', (act, key) => act.retryRefund({ refundId, key }), { local: true });`);
  expect(planted).toEqual(['brandNew', 'submitRefund', 'closeRefund', 'retryRefund']);
  expect(offenders(planted)).toEqual(['brandNew', 'submitRefund', 'retryRefund']);
  expect([...(outcomes.get('submitRefund') ?? [])]).toEqual(['stripe']);
});

test.each([
  'const { submitRefund } = proxyLocalActivities<A>(P);',
  'const act = proxyLocalActivities<A>(P); run(act);',
  "const act = proxyLocalActivities<A>(P); act['submitRefund']({});",
  'const act = proxyLocalActivities<A>(P); const { submitRefund } = act;',
])('workflow code that hides which local activities it calls is refused: %s', (code) => {
  expect(() => calledLocally(code)).toThrow();
});

test('an operation that delivers inline though its contract says nothing of it fails, and nothing is delivered', async () => {
  const smtp = await startScriptedSmtp();
  const inline: Endpoint = endpoint({
    method: 'post',
    path: '/internal/inline',
    operationId: 'deliverInline',
    summary: 'A notice that is sent before it is answered',
    access: 'service',
    replies: { 204: null },
  });
  const service = await startTestService({
    name: 'notification',
    contract: { inline },
    events: {},
    routes(routes) {
      const mailer = createMailer(smtp.url, 'no-reply@tutorconnect.example');
      routes.serve(inline, async () => {
        const words = { subject: 'Hello', html: '<p>Hello</p>', text: 'Hello', businessKey: 'k', date: new Date() };
        await mailer.send({ to: { name: 'Grace', address: 'grace@example.com' }, ...words });
        return done;
      });
      return Promise.resolve({ close: async () => mailer.close() });
    },
  });
  expect(await service.internal('POST', '/internal/inline', { body: {} })).toMatchObject({ status: 500 });
  expect(smtp.bodies).toEqual([]);
  await service.close();
  await smtp.close();
});
