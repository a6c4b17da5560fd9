import cors from 'cors';
import type { RequestHandler } from 'express';
import helmet from 'helmet';
import { METHODS } from './rules';

// What browsers are told: what a page of ours may load, and whose pages may call the API.

/** Nothing of an API reply is ever a page; the reference loads its own files only and may call the API. */
export function securityHeaders(publicUrl: string): RequestHandler {
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'data:'],
        connectSrc: ["'self'", new URL(publicUrl).origin],
        baseUri: ["'none'"],
        formAction: ["'none'"],
        frameAncestors: ["'none'"],
      },
    },
    xFrameOptions: { action: 'deny' },
    referrerPolicy: { policy: 'no-referrer' },
  });
}

/** Answers preflights and lets pages of `origins` read replies. Tokens travel in a header and never in a cookie, so credentials stay off. */
export function crossOrigin(origins: string[]): RequestHandler {
  const options = {
    origin: origins,
    methods: METHODS.filter((method) => method !== 'OPTIONS'),
    allowedHeaders: ['Authorization', 'Content-Type', 'Idempotency-Key', 'X-Request-Id', 'traceparent', 'tracestate'],
    exposedHeaders: ['Location', 'Retry-After', 'RateLimit', 'RateLimit-Policy', 'X-Request-Id', 'WWW-Authenticate'],
    maxAge: 600,
  };
  // An OPTIONS request that is no preflight is a question to the service.
  return cors((request, done) =>
    done(null, { ...options, preflightContinue: request.headers['access-control-request-method'] === undefined }),
  );
}
