import { z } from 'zod';
import { endpoint } from './endpoint';
import { openApiDocument } from './openapi';
import { IdParams, inQuery, Money, PageQuery } from './schemas';

const contract = {
  change: endpoint({
    method: 'patch',
    path: '/api/things/{id}',
    operationId: 'changeThing',
    summary: 'Change a thing',
    description: 'Only its price.',
    access: ['tutor', 'admin'],
    idempotency: 'required',
    params: IdParams,
    body: z.strictObject({ price: Money }),
    replies: { 200: z.strictObject({ price: Money }), 202: null },
    errors: ['invalid_state'],
  }),
  list: endpoint({
    method: 'get',
    path: '/api/things',
    operationId: 'listThings',
    summary: 'List things',
    access: 'anonymous',
    query: PageQuery.extend({ minRating: inQuery(z.number().min(0).max(5)).optional() }),
    replies: { 200: z.strictObject({ price: Money }) },
  }),
  create: endpoint({
    method: 'post',
    path: '/api/things',
    operationId: 'createThing',
    summary: 'Create a thing',
    access: 'user',
    idempotency: 'optional',
    replies: { 201: null },
  }),
  hook: endpoint({
    method: 'post',
    path: '/api/hook',
    operationId: 'hook',
    summary: 'News',
    access: 'signed',
    replies: { 204: null },
  }),
  hidden: endpoint({
    method: 'post',
    path: '/internal/things',
    operationId: 'hidden',
    summary: 'Internal',
    access: 'service',
    replies: { 204: null },
  }),
};
const document = JSON.parse(JSON.stringify(openApiDocument('things', contract)));
const operations: Record<string, Record<string, Record<string, unknown>>> = document.paths;
const change = operations['/api/things/{id}']?.patch;
const list = operations['/api/things']?.get;

const codesOf = (operation: Record<string, unknown> | undefined, status: string) => {
  const responses = z.record(z.string(), z.looseObject({ description: z.string() })).parse(operation?.responses);
  return responses[status]?.description;
};

test('internal operations are published only on demand', () => {
  expect(JSON.stringify(document)).not.toContain('/internal/');
  const all = JSON.parse(JSON.stringify(openApiDocument('things', contract, { internal: true })));
  expect(all.paths['/internal/things'].post.description).toBe("Only the platform's own parts may call it.");
});

test('every operation says who may call it and what it does with a key', () => {
  expect(change?.description).toBe('Only its price. Only for the role tutor or admin. Needs an `Idempotency-Key`.');
  expect(list?.description).toBe('Anybody may call it.');
  expect(operations['/api/things']?.post?.description).toBe(
    'Anybody who is signed in may call it. Takes an `Idempotency-Key`.',
  );
  expect(operations['/api/hook']?.post?.description).toBe('Only a call with a valid signature is accepted.');
});

test('a token is asked for exactly where one is needed', () => {
  expect(change?.security).toEqual([{ userToken: [] }]);
  expect(operations['/api/things']?.post?.security).toEqual([{ userToken: [] }]);
  expect(list?.security).toBeUndefined();
  expect(operations['/api/hook']?.post?.security).toBeUndefined();
});

test('each refusal that the shape of an operation implies is listed under its status', () => {
  expect(Object.keys(change?.responses ?? {})).toEqual(
    expect.arrayContaining([
      '200',
      '202',
      '400',
      '401',
      '403',
      '404',
      '409',
      '413',
      '415',
      '422',
      '429',
      '431',
      '500',
      '503',
    ]),
  );
  expect(codesOf(change, '409')).toBe('`idempotency_in_progress`, `invalid_state`');
  expect(codesOf(change, '403')).toBe('`forbidden`, `second_factor_required`');
  expect(codesOf(operations['/api/things']?.post, '403')).toBe('`second_factor_required`');
  expect(codesOf(change, '400')).toBe('`malformed_body`, `invalid_idempotency_key`, `idempotency_key_required`');
  expect(Object.keys(list?.responses ?? {}).sort()).toEqual(['200', '422', '429', '431', '500', '503']);
});

test('a key of 1 to 255 characters is a header, required where the operation needs it', () => {
  const headerOf = (operation: Record<string, unknown> | undefined) =>
    z
      .array(z.looseObject({ in: z.string() }))
      .parse(operation?.parameters)
      .find((parameter) => parameter.in === 'header');
  expect(headerOf(change)).toMatchObject({ name: 'Idempotency-Key', required: true, schema: { maxLength: 255 } });
  expect(headerOf(operations['/api/things']?.post)).toMatchObject({ required: false });
});

test('a number in a query is published as a number that may be left out, never as null', () => {
  const parameters = z.array(z.looseObject({ name: z.string() })).parse(list?.parameters);
  const found = (name: string) => parameters.find((parameter) => parameter.name === name);
  expect(found('minRating')).toMatchObject({ required: false, schema: { type: 'number', minimum: 0, maximum: 5 } });
  expect(found('limit')).toMatchObject({
    required: false,
    schema: { type: 'integer', default: 20, minimum: 1, maximum: 100 },
  });
});

test('a named type is described once and referred to', () => {
  expect(document.components.schemas.Money).toMatchObject({
    required: ['amount', 'currency'],
    additionalProperties: false,
  });
  expect(JSON.stringify(change)).toContain('"$ref":"#/components/schemas/Money"');
});
