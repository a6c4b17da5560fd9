import { textOf } from './repository';

/** A row of a table, by the names of its columns. */
export type TableRow = Record<string, string>;

/** The rows of the first table below `heading` of a page. @throws Error when there is none: what is held against it would hold nothing */
export function tableOf(page: string, heading: string): TableRow[] {
  const [, section = ''] = textOf(page).split(new RegExp(`^#+ ${heading}$`, 'm'));
  const lines =
    section
      .split(/^#+ /m)[0]
      ?.split('\n')
      .filter((line) => line.startsWith('|')) ?? [];
  const [header, , ...rows] = lines.map(cellsOf);
  if (!header || rows.length === 0) throw new Error(`${page} has no table below "${heading}"`);
  return rows.map((cells) => Object.fromEntries(header.map((name, column) => [name, cells[column] ?? ''])));
}

/** What stands in code quotes in a text. */
export function quotedIn(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);
}

function cellsOf(line: string): string[] {
  return line
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim());
}
