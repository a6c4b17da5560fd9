import { allowOf, type Facts, headersDown, headersUp, joinLimits } from './headers';

const facts: Facts = {
  address: '192.0.2.7',
  host: 'gateway.example:8000',
  scheme: 'https',
  requestId: 'r-1',
  traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
  hasBody: true,
};

describe('on the way to a service', () => {
  test('what concerns one connection only stays behind, also what Connection names', () => {
    const up = headersUp(
      {
        connection: 'keep-alive, X-Hop , x-other',
        'keep-alive': 'timeout=5',
        'proxy-authorization': 'Basic x',
        'proxy-connection': 'keep-alive',
        te: 'trailers',
        trailer: 'x',
        'transfer-encoding': 'chunked',
        upgrade: 'websocket',
        'http2-settings': 'x',
        expect: '100-continue',
        'content-length': '3',
        'x-hop': '1',
        'x-other': '2',
        accept: 'application/json',
      },
      facts,
    );
    expect(Object.keys(up).sort()).toEqual(
      [
        'accept',
        'traceparent',
        'via',
        'x-forwarded-for',
        'x-forwarded-host',
        'x-forwarded-proto',
        'x-request-id',
      ].sort(),
    );
  });

  test('a client cannot speak for the gateway', () => {
    const up = headersUp(
      {
        host: 'evil.example',
        forwarded: 'for=10.0.0.1',
        'x-forwarded-for': '10.0.0.1',
        'x-forwarded-proto': 'gopher',
        'x-forwarded-host': 'evil.example',
        'x-forwarded-prefix': '/internal',
        'x-real-ip': '10.0.0.1',
        'x-request-id': 'forged',
        traceparent: 'forged',
        connection: 'x-forwarded-for, x-request-id',
      },
      facts,
    );
    expect(up).toEqual({
      'x-forwarded-for': '192.0.2.7',
      'x-forwarded-proto': 'https',
      'x-forwarded-host': 'gateway.example:8000',
      'x-request-id': 'r-1',
      traceparent: facts.traceparent,
      via: '1.1 tutorconnect',
    });
  });

  test('earlier proxies stay in Via, and what describes a body goes only with one', () => {
    const given = { via: '1.1 cdn', 'content-type': 'application/json', 'content-encoding': 'gzip' };
    expect(headersUp(given, facts)).toMatchObject({ ...given, via: '1.1 cdn, 1.1 tutorconnect' });
    expect(headersUp(given, { ...facts, hasBody: false })).not.toHaveProperty('content-type');
  });

  test.each(['evil/../x', 'a b', '"><script>', 'x:99999999', '', undefined])('host %j is not passed on', (host) => {
    expect(headersUp({}, { ...facts, host })).not.toHaveProperty('x-forwarded-host');
  });

  test.each(['localhost', '127.0.0.1:8000', '[::1]:8000', 'api.example.org'])('host %s is passed on', (host) => {
    expect(headersUp({}, { ...facts, host })).toHaveProperty('x-forwarded-host', host);
  });
});

describe('on the way to the client', () => {
  test('what concerns the connection, the build of a service or CORS stays behind', () => {
    const down = headersDown({
      connection: 'x-hop',
      'x-hop': '1',
      'keep-alive': 'timeout=5',
      'transfer-encoding': 'chunked',
      server: 'node',
      'x-powered-by': 'Express',
      via: '1.1 inner',
      'x-request-id': 'other',
      'access-control-allow-origin': '*',
      ratelimit: '"login";r=1;t=1',
      'ratelimit-policy': '"login";q=1;w=1',
      'proxy-authenticate': 'Basic',
      location: '/api/bookings/1',
      'set-cookie': ['a=1', 'b=2'],
      'content-length': '2',
    });
    expect(down).toEqual({
      'cache-control': 'no-store',
      location: '/api/bookings/1',
      'set-cookie': ['a=1', 'b=2'],
      'content-length': '2',
    });
  });

  test('a service may say that its reply can be kept', () => {
    expect(headersDown({ 'cache-control': 'public, max-age=600' })).toEqual({ 'cache-control': 'public, max-age=600' });
  });

  test("limits of gateway and service stand side by side in both fields' lists", () => {
    const own = { 'ratelimit-policy': '"api";q=600;w=60', ratelimit: '"api";r=599;t=60' };
    const service = { 'ratelimit-policy': '"login";q=10;w=60', ratelimit: '"login";r=9;t=60' };
    expect(joinLimits(own, service)).toEqual({
      'ratelimit-policy': '"api";q=600;w=60, "login";q=10;w=60',
      ratelimit: '"api";r=599;t=60, "login";r=9;t=60',
    });
    expect(joinLimits(own, {})).toEqual(own);
    expect(joinLimits({}, service)).toEqual(service);
    expect(joinLimits({}, {})).toEqual({});
  });

  test('Allow names what a service supports and what comes with it', () => {
    expect(allowOf('get, POST')).toBe('GET, POST, HEAD, OPTIONS');
    expect(allowOf('DELETE')).toBe('DELETE, OPTIONS');
    expect(allowOf(undefined)).toBe('OPTIONS');
  });
});
