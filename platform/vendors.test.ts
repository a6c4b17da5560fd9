import { ask } from '../tests/support/service';
import { serviceTokens } from './auth';
import { type Endpoint, endpoint } from './endpoint';
import { createService, type Service } from './http-server';
import { listen } from './listen';
import { openApiDocument } from './openapi';
import { done } from './replies';
import { createLogger, currentContext } from './telemetry';
import { reaching, requireVendor } from './vendors';

// What a vendor's door asks of its callers; the doors' own tests are beside them.

const operation = (operationId: string, more: Partial<Endpoint> = {}): Endpoint =>
  endpoint({
    method: 'post',
    path: `/api/${operationId}`,
    operationId,
    summary: operationId,
    access: 'anonymous',
    replies: { 204: null },
    ...more,
  });
const contract = {
  charge: operation('charge', { reaches: ['stripe'] }),
  record: operation('record'),
};

/** What a door says to each operation. */
async function refusalsOf(serve: (service: Service, refuse: (error: unknown) => void) => void): Promise<string[]> {
  const refusals: string[] = [];
  const service = createService({
    name: 'vendors',
    logger: createLogger('vendors', 'silent'),
    contract,
    verifyUser: () => Promise.reject(new Error('nobody signs in here')),
    serviceTokens: serviceTokens('s'.repeat(32)),
  });
  serve(service, (error) => refusals.push(error instanceof Error ? error.message : String(error)));
  service.finish();
  const server = await listen(service.app, '127.0.0.1', 0);
  const url = `http://127.0.0.1:${server.port}`;
  await Promise.all(Object.values(contract).map(({ path }) => ask(url, 'POST', path, { body: {} })));
  await server.close(0);
  return refusals;
}

test('an operation reaches the vendors of its contract and no others, however deep below the handler', async () => {
  const refusals = await refusalsOf((service, refuse) => {
    for (const one of Object.values(contract)) {
      service.serve(one, async () => {
        await new Promise((resolve) => setImmediate(resolve));
        for (const vendor of ['stripe', 'smtp'] as const) {
          try {
            requireVendor(vendor);
          } catch (error) {
            refuse(error);
          }
        }
        return done;
      });
    }
  });
  expect(refusals.toSorted()).toEqual([
    'The operation charge reaches smtp, and its contract does not say so',
    'The operation record reaches smtp, and its contract does not say so',
    'The operation record reaches stripe, and its contract does not say so',
  ]);
});

test('an operation cannot say at run time what its contract does not say', async () => {
  const refusals = await refusalsOf((service, refuse) => {
    service.serve(contract.charge, async () => done);
    service.serve(contract.record, async () => {
      try {
        reaching('smtp', () => requireVendor('smtp'));
      } catch (error) {
        refuse(error);
      }
      return done;
    });
  });
  expect(refusals).toEqual(['The operation record reaches smtp, and its contract does not say so']);
});

test('work outside of any operation reaches the vendor that it names, and has a trace of its own', async () => {
  const [one, other] = await Promise.all(
    [0, 1].map(() =>
      reaching('smtp', async () => {
        await new Promise((resolve) => setImmediate(resolve));
        requireVendor('smtp');
        expect(() => requireVendor('stripe')).toThrow('Work outside of any operation reaches stripe');
        return currentContext();
      }),
    ),
  );
  expect(one?.requestId).toBeTruthy();
  expect(one?.traceparent).not.toBe(other?.traceparent);
  expect(() => requireVendor('smtp')).toThrow('no `reaching` says so');
});

test('the OpenAPI document says nothing of vendors', () => {
  const { reaches: _, ...silent } = contract.charge;
  expect(openApiDocument('vendors', { charge: contract.charge }, { internal: true })).toEqual(
    openApiDocument('vendors', { charge: silent }, { internal: true }),
  );
});
