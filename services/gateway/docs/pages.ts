import { dirname, join } from 'node:path';
import type { Express, Request, Response } from 'express';
import { ProblemError } from '../../../kernel/errors';
import { explainErrors } from './error-guide';
import type { ReadReference } from './reference';

/** Served from the installed package, so that the pages work without any other host. */
const SWAGGER_UI = dirname(require.resolve('swagger-ui-dist/package.json'));
const ASSETS = ['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png'];
const ONE_DAY_MS = 86_400_000;

/**
 * Adds the documentation of the API: its `documents` by their paths, `/docs` to browse and try it, and `/docs/errors`, where the
 * `type` of every problem leads.
 */
export function serveDocs(app: Express, documents: Readonly<Record<string, ReadReference>>): void {
  const page = (path: string, answer: (request: Request, response: Response) => unknown) => {
    app.get(path, answer);
    app.all(path, (_request, response) => {
      response.set('Allow', 'GET, HEAD');
      throw new ProblemError('method_not_allowed');
    });
  };
  page('/', (_request, response) => response.redirect('/docs'));
  for (const [path, reference] of Object.entries(documents)) {
    page(path, async (_request, response) => {
      const { json, degraded } = await reference();
      if (degraded.length > 0) response.set('X-Degraded', degraded.join(', '));
      response.type('application/json').set('Cache-Control', 'no-cache').send(json);
    });
  }
  page('/docs', (_request, response) => response.type('html').send(REFERENCE_PAGE));
  page('/docs/errors', (_request, response) => response.type('html').send(errorsPage()));
  page('/docs/start.js', (_request, response) => response.type('text/javascript').send(START_SCRIPT));
  page('/docs/docs.css', (_request, response) => response.type('text/css').send(STYLE));
  for (const asset of ASSETS) {
    page(`/docs/assets/${asset}`, (_request, response) => {
      response.sendFile(join(SWAGGER_UI, asset), { maxAge: ONE_DAY_MS, dotfiles: 'allow' });
    });
  }
}

function layout(title: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${title}</title>
<link rel="icon" type="image/png" href="/docs/assets/favicon-32x32.png">
<link rel="stylesheet" href="/docs/docs.css">
${head}</head>
<body>
<nav><strong>TutorConnect API</strong> <a href="/docs">Reference</a> <a href="/docs/errors">Errors</a> <a href="/openapi.json">OpenAPI</a> <a href="/asyncapi.json">AsyncAPI</a></nav>
${body}
</body>
</html>
`;
}

const REFERENCE_PAGE = layout(
  'TutorConnect API',
  '<link rel="stylesheet" href="/docs/assets/swagger-ui.css">\n',
  `<noscript><main><p>This page needs JavaScript. The same is in <a href="/openapi.json">openapi.json</a>.</p></main></noscript>
<div id="reference"></div>
<script src="/docs/assets/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>`,
);

// A file of its own, because the Content-Security-Policy allows no script inside a page.
const START_SCRIPT = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#reference',
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  filter: true,
  persistAuthorization: true,
  validatorUrl: null,
});
`;

const STYLE = `body { margin: 0; font: 16px/1.5 system-ui, sans-serif; color: #1b1f24; background: #fff; }
nav { display: flex; gap: 1.5rem; align-items: baseline; padding: .75rem 1.25rem; background: #1b1f24; color: #fff; }
nav a { color: #b9dcff; }
main { max-width: 60rem; margin: 0 auto; padding: 1.25rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem .4rem 0; border-bottom: 1px solid #d7dce1; }
section { padding: .25rem 0; border-bottom: 1px solid #d7dce1; }
section:target { background: #fff7d6; box-shadow: 0 0 0 .75rem #fff7d6; }
code { font: .95em ui-monospace, monospace; }
`;

function errorsPage(): string {
  const explanations = explainErrors();
  const rows = explanations.map(
    ({ code, status, meaning }) =>
      `<tr><td>${status}</td><td><a href="#${code}"><code>${code}</code></a></td><td>${html(meaning)}</td></tr>`,
  );
  const sections = explanations.map(
    ({ code, status, meaning, retryable, advice }) => `<section id="${code}">
<h2><code>${code}</code></h2>
<p>${status} · ${html(meaning)} · ${retryable ? 'may succeed later' : 'will not succeed by repeating it'}</p>
<p>${html(advice)}</p>
</section>`,
  );
  return layout(
    'Errors — TutorConnect API',
    '',
    `<main>
<h1>Errors</h1>
<p>Every error is a problem document (RFC 9457, <code>application/problem+json</code>) whose <code>code</code> is one of these.</p>
<table><thead><tr><th>Status</th><th>Code</th><th>Meaning</th></tr></thead><tbody>
${rows.join('\n')}
</tbody></table>
${sections.join('\n')}
</main>`,
  );
}

/** Escapes text for HTML; what stands between back-ticks becomes code. */
function html(text: string): string {
  const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text
    .replace(/[&<>"]/g, (character) => escapes[character] ?? character)
    .replace(/`([^`]+)`/g, '<code>$1</code>');
}
