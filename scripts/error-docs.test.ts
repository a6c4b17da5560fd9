import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ERROR_CODES } from '../kernel/errors';
import { explainErrors } from '../services/gateway/docs/error-guide';
import { errorDocs } from './error-docs';

test('docs/errors.md is what the table of codes says: run scripts/error-docs.ts after changing it', () => {
  expect(readFileSync(join(__dirname, '..', 'docs', 'errors.md'), 'utf8')).toBe(errorDocs());
});

test('every code has one section whose heading is its anchor, and advice that is a sentence', () => {
  const headings = [...errorDocs().matchAll(/^## (.+)$/gm)].map(([, heading]) => heading);
  expect(headings).toEqual(Object.keys(ERROR_CODES));
  for (const { advice } of explainErrors()) expect(advice).toMatch(/^[A-Z].{15,}[.]$/s);
});
