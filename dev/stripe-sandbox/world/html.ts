/** What the sandbox's pages for people have in common. */
import type { Request } from 'express';

/** A whole page; the content is HTML already. */
export function htmlPage(name: string, title: string, content = ''): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(name)}</title>
<style>body{font-family:system-ui;max-width:30rem;margin:4rem auto}button{padding:.6rem 1rem;margin:.3rem 0}label{display:block;margin:.5rem 0}</style></head>
<body><h1>${escapeHtml(title)}</h1>
${content}</body>
</html>
`;
}

export function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

/** A browser asks for HTML by name; curl and fetch take anything. */
export function wantsHtml(req: Request): boolean {
  return req.get('accept')?.includes('text/html') ?? false;
}
