import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { listSettings } from '../platform/settings';

const LINE_WIDTH = 110;

const HEADER = `# Every setting, with its default. Copy this file to .env and take the # off the lines you change; the environment wins over
# .env. A server that a setting names is used as it is; what is not named, \`npm start\` starts on this machine.
`;

/** The text of `.env.example`: every setting that `platform/settings.ts` knows, with its meaning and its default, commented out. */
export function envExample(): string {
  const entries = listSettings().map(({ name, meaning, schema }) => {
    const unset = schema.safeParse(undefined);
    const value = unset.success && unset.data !== undefined ? String(unset.data) : '';
    return `${wrap(meaning)}\n# ${name}=${/[\s#'"]/.test(value) ? JSON.stringify(value) : value}\n`;
  });
  return [HEADER, ...entries].join('\n');
}

function wrap(text: string): string {
  const lines = [''];
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? '';
    if (line.length + word.length + 1 > LINE_WIDTH) lines.push(word);
    else lines[lines.length - 1] = line ? `${line} ${word}` : word;
  }
  return lines.map((line) => `# ${line}`).join('\n');
}

/** Compiled, this file is dist/scripts/env-example.js. */
if (require.main === module) writeFileSync(join(__dirname, '..', '..', '.env.example'), envExample());
