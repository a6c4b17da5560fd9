import { CONTEXT_NAMES, contextOf, ROUTED_CONTEXTS } from '../../kernel/modules';
import { addressKey, destinationOf, isMethod, isRead, isSigned } from './rules';

describe('where a request goes', () => {
  test.each([
    ['/api/auth/login', 'identity', '/api/auth/login', ''],
    ['/api/auth/.well-known/jwks.json', 'identity', '/api/auth/.well-known/jwks.json', ''],
    ['/api/users/1/role', 'identity', '/api/users/1/role', ''],
    ['/api/tutors', 'tutoring', '/api/tutors', ''],
    ['/api/tutors/', 'tutoring', '/api/tutors/', ''],
    ['/api/tutors?q=maths&cursor=a/../b', 'tutoring', '/api/tutors', '?q=maths&cursor=a/../b'],
    ['/api/tutors?', 'tutoring', '/api/tutors', '?'],
    ['/api/tutors/Gr%C3%BC%C3%9Fe', 'tutoring', '/api/tutors/Gr%C3%BC%C3%9Fe', ''],
    ['/api/bookings/1/confirm', 'booking', '/api/bookings/1/confirm', ''],
    ['/api/notifications/preferences', 'notification', '/api/notifications/preferences', ''],
    ['/api/payment-methods/pm_1', 'payment', '/api/payment-methods/pm_1', ''],
    ['/api/payments/1/refund', 'payment', '/api/payments/1/refund', ''],
    ['/api/refunds/1/credit-note.pdf', 'payment', '/api/refunds/1/credit-note.pdf', ''],
    ['/api/stripe/webhooks', 'payment', '/api/stripe/webhooks', ''],
    ['/api/v1/bookings/1?x=1', 'booking', '/api/bookings/1', '?x=1'],
    ['http://gateway.example:8000/api/tutors?q=x', 'tutoring', '/api/tutors', '?q=x'],
    ['HTTPS://gateway.example/api/v1/tutors', 'tutoring', '/api/tutors', ''],
  ])('%s goes to %s', (target, context, path, query) => {
    expect(destinationOf(target)).toEqual({ context, path, query });
  });

  test.each([
    '',
    '*',
    '/',
    '/api',
    '/api/',
    '/api/v1',
    '/api/v1/',
    '/api/v1/v1/tutors',
    '/api/v2/tutors',
    '/api/unknown',
    '/api/tutorsx',
    '/api/payment',
    '/api/payment-methodsx',
    '/api/tutors.json',
    '/tutors',
    'api/tutors',
    '/API/tutors',
    '/Api/Tutors',
    '/api/TUTORS',
    '/api/V1/tutors',
    '//api/tutors',
    '/api//tutors',
    '/api/tutors//1',
    '/api/tutors/1//',
    '/api/tutors#x',
    '/api/tutors?q=x#y',
    '/internal',
    '/internal/slots/hold',
    '//internal/slots/hold',
    '/INTERNAL/slots/hold',
    '/%69nternal/slots/hold',
    '/api/internal',
    '/api/v1/internal',
    '/api/v1/../internal/x',
    '/api/../internal/x',
    '/api/%2e%2e/internal',
    '/api/%2E%2E/internal',
    '/api/tutors/../../internal/x',
    '/api/tutors/./x',
    '/api/tutors/.%2e/x',
    '/api/tutors/%2e%2e%2f%2e%2e%2finternal',
    '/api/tutors/..%2f..%2finternal',
    '/api/tutors/..;/..;/internal',
    '/api/tutors/..%3bx/internal',
    '/api/tutors/..\\..\\internal',
    '/api/tutors/..%5c..%5cinternal',
    '/api/tutors/%252e%252e/internal',
    '/api/tutors/%25%32%65%25%32%65/internal',
    '/api/tutors/%00',
    '/api/tutors/%0d%0aX-Injected:1',
    '/api/tutors/%7f',
    '/api/tutors/%ff',
    '/api/tutors/%c0%ae%c0%ae/internal',
    '/api/tutors/%',
    '/api/tutors/%zz',
    '/api/tutors/\u00fc',
    '/api/tutors/<x>',
    '/api/tutors/a b',
    'http://gateway.example',
    'http://gateway.example/internal/x',
    'ftp://gateway.example/api/tutors',
    'http:/internal',
    '/api/toString',
    '/api/__proto__',
  ])('%j goes nowhere', (target) => {
    expect(destinationOf(target)).toBeUndefined();
  });

  test('a path of the longest request line is judged in no time', () => {
    const started = performance.now();
    expect(destinationOf(`/api/tutors/${'%25'.repeat(5_000)}`)).toBeUndefined();
    expect(destinationOf(`/api/tutors${'/a'.repeat(8_000)}|`)).toBeUndefined();
    expect(destinationOf(`/api/tutors/${'a'.repeat(16_000)}|`)).toBeUndefined();
    expect(performance.now() - started).toBeLessThan(500);
  });

  test('every context but the gateway itself is offered, and each prefix belongs to one', () => {
    expect([...ROUTED_CONTEXTS].sort()).toEqual(CONTEXT_NAMES.filter((name) => name !== 'gateway').sort());
    const prefixes: string[] = ROUTED_CONTEXTS.flatMap((context) => [...contextOf(context).prefixes]);
    expect(new Set(prefixes).size).toBe(prefixes.length);
    for (const prefix of prefixes) expect(prefix).toMatch(/^\/api\/(?!v1$|internal$)[a-z]+(?:-[a-z]+)*$/);
  });
});

test('only the webhook itself is exempt from tokens and limits', () => {
  expect(isSigned('POST', '/api/stripe/webhooks')).toBe(true);
  expect(isSigned('GET', '/api/stripe/webhooks')).toBe(false);
  for (const path of ['/api/stripe', '/api/stripe/webhooks/', '/api/stripe/webhooks/x', '/api/stripe/Webhooks'])
    expect(isSigned('POST', path)).toBe(false);
});

test('methods that echo or tunnel are not passed on, and only reads are repeated', () => {
  for (const name of ['TRACE', 'CONNECT', 'get', 'PROPFIND', '']) expect(isMethod(name)).toBe(false);
  for (const name of ['GET', 'DELETE', 'OPTIONS']) expect(isMethod(name)).toBe(true);
  expect(isRead('GET')).toBe(true);
  for (const name of ['POST', 'PUT', 'PATCH', 'DELETE'] as const) expect(isRead(name)).toBe(false);
});

test.each([
  ['192.0.2.7', 'address:192.0.2.7'],
  ['::ffff:192.0.2.7', 'address:192.0.2.7'],
  ['::1', 'address:0:0:0:0::/64'],
  ['2001:db8:1:2:3:4:5:6', 'address:2001:db8:1:2::/64'],
  ['2001:DB8:1:2::9', 'address:2001:db8:1:2::/64'],
  ['2001:db8::9', 'address:2001:db8:0:0::/64'],
  ['2001:db8:1:2::', 'address:2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'address:fe80:0:0:0::/64'],
  ['', 'address:'],
])('requests from %s are counted as %s', (address, key) => {
  expect(addressKey(address)).toBe(key);
});
