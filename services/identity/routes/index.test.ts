import { uuidv7 } from '../../../platform/ids';
import { openApiDocument } from '../../../platform/openapi';
import { type Accounts, startAccounts } from '../../../tests/support/accounts';
import { identityContract as contract } from '../contract';
import { identityEvents } from '../events';

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
      const reply = await accounts.service.ask(
        method.toUpperCase(),
        path.replace('{id}', uuidv7()).replace('{provider}', 'google'),
      );
      expect([200, 401, 422, 415, 400]).toContain(reply.status);
    }
  }
  expect(JSON.stringify(served.body)).not.toContain('/internal/');
});

test('what it tells is served too, with the topic of people beside the events', async () => {
  const { status, headers, body } = await accounts.service.ask('GET', '/asyncapi.json');
  expect({ status, type: headers['content-type'] }).toEqual({ status: 200, type: 'application/json; charset=utf-8' });
  expect(Object.keys(body.channels)).toEqual(['identity.events', 'identity.people']);
  expect(Object.keys(body.channels['identity.events'].messages)).toEqual(Object.keys(identityEvents));
});
