/** A name as it is compared, in whatever case, width and spacing. Not left to the database, whose locale may be any. */
export function searchKey(name: string): string {
  return name.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ');
}

/** Postgres refuses lexemes above 2 KB. */
const LONGEST_WORD = 60;

/** The words of a text as they are searched: lower case, without accents. `C++` and `C#` are words. */
export function searchWords(text: string): string[] {
  const plain = text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
  const words = plain.match(/[\p{L}\p{N}]+[+#]*/gu) ?? [];
  return [...new Set(words.map((word) => [...word].slice(0, LONGEST_WORD).join('')))];
}
