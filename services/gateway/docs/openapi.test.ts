import { z } from 'zod';
import { DATABASE_CONTEXTS, ROUTED_CONTEXTS, type RoutedContext } from '../../../kernel/modules';
import { type Endpoint, endpoint } from '../../../platform/endpoint';
import { openApiDocument } from '../../../platform/openapi';
import { Money, pageOf } from '../../../platform/schemas';
import { mergeDocuments, ReferenceConflict, ServiceDocument } from './openapi';

const Tutor = z.strictObject({ id: z.uuid(), price: Money }).meta({ id: 'Tutor' });
const Booking = z.strictObject({ id: z.uuid(), price: Money }).meta({ id: 'Booking' });

const tutoring = {
  searchTutors: endpoint({
    method: 'get',
    path: '/api/tutors',
    operationId: 'searchTutors',
    summary: 'Search tutors',
    access: 'anonymous',
    query: z.strictObject({ q: z.string().optional() }),
    replies: { 200: pageOf(Tutor) },
  }),
  holdSlot: endpoint({
    method: 'post',
    path: '/internal/slots/hold',
    operationId: 'holdSlot',
    summary: 'Hold a slot',
    access: 'service',
    replies: { 204: null },
  }),
};
const booking = {
  createBooking: endpoint({
    method: 'post',
    path: '/api/bookings',
    operationId: 'createBooking',
    summary: 'Book a lesson',
    access: ['student'],
    idempotency: 'required',
    body: z.strictObject({ tutorId: z.uuid() }),
    replies: { 201: Booking },
    errors: ['slot_unavailable'],
  }),
};
const payment = {
  stripeWebhook: endpoint({
    method: 'post',
    path: '/api/stripe/webhooks',
    operationId: 'stripeWebhook',
    summary: 'What Stripe reports',
    access: 'signed',
    replies: { 204: null },
  }),
};

type Contract = Readonly<Record<string, Endpoint>>;

function merge(contracts: Partial<Record<RoutedContext, Contract>>, internal = false) {
  const parts = ROUTED_CONTEXTS.flatMap((context) => {
    const contract = contracts[context];
    if (!contract) return [];
    const document: unknown = JSON.parse(JSON.stringify(openApiDocument(context, contract, { internal })));
    return [[context, ServiceDocument.parse(document)] as const];
  });
  const merged: z.output<typeof Merged> = Merged.parse(
    mergeDocuments(ROUTED_CONTEXTS, new Map(parts), 'https://api.example.org'),
  );
  return merged;
}

const Merged = z.looseObject({
  servers: z.array(z.looseObject({ url: z.string() })),
  tags: z.array(z.strictObject({ name: z.string(), description: z.string() })),
  paths: z.record(
    z.string(),
    z.record(
      z.string(),
      z.looseObject({
        tags: z.array(z.string()),
        responses: z.record(
          z.string(),
          z.looseObject({ description: z.string(), content: z.unknown().optional(), headers: z.unknown().optional() }),
        ),
      }),
    ),
  ),
  components: z.record(z.string(), z.record(z.string(), z.unknown())),
});

test('the operations of all services are in one document, with their tags, under the public address', () => {
  const merged = merge({ tutoring, booking, payment });
  expect(Object.keys(merged.paths)).toEqual(['/api/tutors', '/api/bookings', '/api/stripe/webhooks']);
  expect(merged.paths['/api/bookings']?.post).toMatchObject({
    operationId: 'createBooking',
    tags: ['booking'],
    security: [{ userToken: [] }],
  });
  expect(merged.paths['/api/tutors']?.get).toMatchObject({ operationId: 'searchTutors', security: [] });
  expect(merged).toMatchObject({ openapi: '3.1.0', servers: [{ url: 'https://api.example.org' }] });
  expect(merged.tags.map(({ name }) => name)).toEqual(DATABASE_CONTEXTS);
  for (const { description } of merged.tags) expect(description).toMatch(/^[A-Z].{20,}/);
});

test('components that services share are there once', () => {
  const { components } = merge({ tutoring, booking, payment });
  expect(Object.keys(components.schemas ?? {}).sort()).toEqual(['Booking', 'Money', 'Problem', 'Tutor']);
  expect(components.securitySchemes).toEqual({ userToken: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' } });
});

test('every reference leads somewhere', () => {
  const merged = merge({ tutoring, booking, payment });
  const references = [...JSON.stringify(merged).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)];
  expect(references.length).toBeGreaterThan(5);
  for (const [, kind = '', name = ''] of references) expect(merged.components[kind]).toHaveProperty(name);
});

test('what the gateway does not route is not in the document', () => {
  const foreign = { ...tutoring.searchTutors, path: '/api/bookings/search', operationId: 'foreign' };
  const health = { ...tutoring.searchTutors, path: '/healthz', operationId: 'health' };
  const { paths } = merge({ tutoring: { ...tutoring, foreign, health } }, true);
  expect(Object.keys(paths)).toEqual(['/api/tutors']);
});

test('the refusals that the gateway adds are documented, without losing those of the service', () => {
  const { paths } = merge({ tutoring, booking, payment });
  const search = paths['/api/tutors']?.get?.responses ?? {};
  expect(Object.keys(search)).toEqual(['200', '401', '422', '429', '431', '500', '503']);
  expect(search['401']?.description).toBe('`unauthenticated`');
  const create = paths['/api/bookings']?.post?.responses ?? {};
  expect(create['413']?.description).toBe('`payload_too_large`');
  expect(create['408']?.description).toBe('`request_timeout`');
  expect(create['409']?.description).toContain('`slot_unavailable`');
  expect(create['503']?.description).toBe('`upstream_unavailable`');
  for (const status of ['429', '503'])
    expect(create[status]?.headers).toEqual({ 'Retry-After': { $ref: '#/components/headers/RetryAfter' } });
  for (const response of Object.entries(create).filter(([status]) => Number(status) >= 400))
    expect(response[1].content).toHaveProperty(['application/problem+json']);
  expect(paths['/api/stripe/webhooks']?.post?.responses).not.toHaveProperty('401');
});

test('a code that joins others of its status is added to their description', () => {
  const login = { ...tutoring.searchTutors, errors: ['invalid_credentials'] as const };
  const { paths } = merge({ tutoring: { login } });
  expect(paths['/api/tutors']?.get?.responses['401']?.description).toBe('`invalid_credentials`, `unauthenticated`');
});

test('one name for two different things is refused, and so is one operationId for two operations', () => {
  const other = z.strictObject({ id: z.string() }).meta({ id: 'Money' });
  const odd = { createBooking: { ...booking.createBooking, replies: { 201: other } } };
  expect(() => merge({ tutoring, booking: odd })).toThrow(ReferenceConflict);
  expect(() => merge({ tutoring, booking: odd })).toThrow('components/schemas/Money of booking');
  const twin = { twin: { ...booking.createBooking, operationId: 'searchTutors' } };
  expect(() => merge({ tutoring, booking: twin })).toThrow('tutoring has an operation searchTutors as well');
});
