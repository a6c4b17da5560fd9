import { createHash } from 'node:crypto';
import type { Response } from 'express';

const STYLE =
  'body{margin:15vh auto;max-width:28rem;padding:0 1rem;font:16px/1.5 system-ui,sans-serif;color:#1b1f24;background:#fff}' +
  'input:not([type=hidden]){font:inherit;display:block;box-sizing:border-box;width:100%;margin:.3rem 0 1rem;padding:.6rem;' +
  'border:1px solid #767c85;border-radius:.4rem}' +
  'button{font:inherit;padding:.6rem 1.2rem;border:0;border-radius:.4rem;color:#fff;background:#1b4fd8;cursor:pointer}';

/** A page may send its form to where it came from, and do nothing else: no script, no other host, no frame. */
const HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    `style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; '),
  // An address may hold a token.
  'Referrer-Policy': 'no-referrer',
  'Cache-Control': 'no-store',
};

/** A page for whoever opens a link of the platform outside any app. `text` is markup; `operation` names it in metrics. */
export interface Page {
  operation: string;
  status: number;
  title: string;
  text: string;
}

export function sendPage(response: Response, { operation, status, title, text }: Page): void {
  response.locals.operation = operation;
  response
    .status(status)
    .set(HEADERS)
    .type('html')
    .send(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>${title} — TutorConnect</title>
<style>${STYLE}</style>
</head>
<body>
<h1>${title}</h1>
${text}
</body>
</html>
`);
}
