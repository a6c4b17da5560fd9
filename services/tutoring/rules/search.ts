/** A name as it is compared, in whatever case, width and spacing. Not left to the database, whose locale may be any. */
export function searchKey(name: string): string {
  return name.normalize('NFKC').toLowerCase().replaceAll(/\s+/g, ' ');
}

/** Postgres refuses lexemes above 2 KB. */
const LONGEST_WORD = 60;

/** Scripts in which a word can begin anywhere: those written without spaces, and Hangul, whose compounds have none. */
const SPACELESS_SCRIPTS = ['Han', 'Hiragana', 'Katakana', 'Hangul', 'Thai', 'Lao', 'Khmer', 'Myanmar'];
const SPACELESS = String.raw`(?=[\p{L}\p{N}])[${SPACELESS_SCRIPTS.map((name) => `\\p{scx=${name}}`).join('')}]`;
const PIECES = new RegExp(String.raw`(?<run>(?:${SPACELESS})+)|(?:(?!${SPACELESS})[\p{L}\p{N}])+[+#]*`, 'gu');
/**
 * So many characters of such a text are a lexeme, from each on. Most words of these scripts are shorter, and a longer one is found by all
 * its parts.
 */
const GRAM = 3;

/** The words by which a text is found: lower case, without accents, and of a script without spaces what begins at each character. */
export function indexedWords(text: string): string[] {
  return piecesOf(text, (run) => run.map((_, start) => run.slice(start, start + GRAM)));
}

/** The words of a question; each has to begin one of the indexed words. `C++` and `C#` are words. */
export function searchWords(question: string): string[] {
  return piecesOf(question, (run) =>
    run.length <= GRAM ? [run] : run.slice(GRAM - 1).map((_, start) => run.slice(start, start + GRAM)),
  );
}

function piecesOf(text: string, gramsOf: (run: string[]) => string[][]): string[] {
  const plain = text.normalize('NFKD').replaceAll(/\p{M}/gu, '').toLowerCase();
  const pieces = [...plain.matchAll(PIECES)].flatMap(({ 0: word, groups }) =>
    groups?.run ? gramsOf([...word]) : [[...word].slice(0, LONGEST_WORD)],
  );
  return [...new Set(pieces.map((characters) => characters.join('')))];
}
