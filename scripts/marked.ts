/** A text with `filling` between `begin` and the next `end`. @throws Error when it has no such place */
export function withMarked(text: string, begin: string, end: string, filling: string): string {
  const [before, rest] = split(text, begin);
  const [, after] = split(rest, end);
  return `${before}${begin}${filling}${end}${after}`;
}

/** What stands before and after a part of a text. @throws Error when it has no such part */
export function split(text: string, part: string): [string, string] {
  const at = text.indexOf(part);
  if (at < 0) throw new Error(`There is no ${JSON.stringify(part)}`);
  return [text.slice(0, at), text.slice(at + part.length)];
}
