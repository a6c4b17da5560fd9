/** Serves the stand-in for Stripe.js and the frames that it puts into pages. */
import { readFileSync } from 'node:fs';
import { Router } from 'express';
import { sourcePath } from '../../machine/paths';

/**
 * What runs in a frame talks to the sandbox alone. Any page may put the frame up.
 * See https://docs.stripe.com/security/guide#content-security-policy
 */
const FRAME_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  'frame-ancestors http: https:',
].join('; ');

/** The fields of a card. Browsers fill them in by these names. */
const FIELDS = `<form autocomplete="on">
<label>Card number <input id="number" inputmode="numeric" autocomplete="cc-number" placeholder="4242 4242 4242 4242"></label>
<label>Expiry <input id="expiry" inputmode="numeric" autocomplete="cc-exp" placeholder="MM / YY"></label>
<label>Security code <input id="cvc" inputmode="numeric" autocomplete="cc-csc" placeholder="CVC"></label>
</form>`;

function framePage(content: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>Stripe sandbox</title><link rel="stylesheet" href="/stripe-js/frame.css"></head>
<body>${content}
<script src="/stripe-js/frame.js"></script></body>
</html>
`;
}

const source = (name: string) => readFileSync(sourcePath(`dev/stripe-sandbox/stripe-js/${name}`), 'utf8');

/** `GET /stripe.js` for pages, and below `/stripe-js` what is in its frames. */
export function stripeJsPages(): Router {
  const router = Router();
  router.use(['/stripe.js', '/stripe-js'], (_req, res, next) => {
    res.set({ 'X-Content-Type-Options': 'nosniff', 'Referrer-Policy': 'no-referrer', 'Cache-Control': 'no-cache' });
    next();
  });
  const serve = (path: string, type: string, text: string) =>
    router.get(path, (_req, res) => {
      res.type(type).send(text);
    });
  router.get('/stripe.js', (_req, res) => {
    res.set('Cross-Origin-Resource-Policy', 'cross-origin').type('text/javascript').send(page);
  });
  const page = source('stripe.js');
  serve('/stripe-js/frame.js', 'text/javascript', source('frame.js'));
  serve('/stripe-js/frame.css', 'text/css', source('frame.css'));
  router.get('/stripe-js/frame', (req, res) => {
    const fields = req.query.element === 'controller' ? '' : FIELDS;
    res.set('Content-Security-Policy', FRAME_POLICY).type('html').send(framePage(fields));
  });
  return router;
}
