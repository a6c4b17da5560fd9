import { uuidv7 } from '../../../platform/ids';
import { openApiDocument } from '../../../platform/openapi';
import { type Accounts, startAccounts } from '../../../tests/support/accounts';
import { identityContract as contract } from '../contract';

let accounts: Accounts;

beforeAll(async () => {
  accounts = await startAccounts();
});

afterEach(() => accounts.settle());

afterAll(() => accounts.close());

test('every operation is served, and the document of them is complete', async () => {
  const document = openApiDocument('identity', contract, { internal: true });
  const served = await accounts.service.ask('GET', '/openapi.json');
  expect(served.status).toBe(200);
  for (const [path, methods] of Object.entries(document.paths ?? {})) {
    for (const method of Object.keys(methods)) {
      const reply = await accounts.service.ask(method.toUpperCase(), path.replace('{id}', uuidv7()));
      expect([200, 401, 422, 415, 400]).toContain(reply.status);
    }
  }
  expect(JSON.stringify(served.body)).not.toContain('/internal/');
});
