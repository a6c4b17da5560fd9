import { hasGlyph } from './font';
import { languageOf, numberOf, printable, printedName } from './rules';

test.each([
  ['de', 'de'],
  ['de-AT', 'de'],
  ['DE', 'de'],
  ['den', 'en'],
  ['en-GB', 'en'],
  ['fr', 'en'],
  ['', 'en'],
  [null, 'en'],
])('whose locale is %j reads receipts in %s', (locale, language) => {
  expect(languageOf(locale)).toBe(language);
});

test.each([
  ['R', 2026, 1, 'R-2026-000001'],
  ['C', 2027, 123_456, 'C-2027-123456'],
  ['R', 2027, 1_234_567, 'R-2027-1234567'],
] as const)('%s %d %d is %s', (kind, year, number, shown) => {
  expect(numberOf(kind, { year, number })).toBe(shown);
});

test.each([
  'Łukasz Żółć',
  'Ελένη Παπαδοπούλου',
  'Иван Їжак',
  "Siobhán O'Neill-Ní Dhomhnaill",
  'Nguyễn Thị Ánh',
  'Ðorđe Ǆ',
  'İpek Ağaoğlu',
  'Ada Lovelace, M.Sc. 2nd',
])('%s is printed as it is', (name) => {
  expect(printable(name, hasGlyph)).toBe(name);
});

test.each([
  ['李小龍', 'Chinese'],
  ['ゆき', 'Japanese'],
  ['김', 'Korean'],
  // The font has these, but not the way from right to left, or what joins them.
  ['محمد', 'Arabic'],
  ['דוד', 'Hebrew'],
  ['अदिति', 'Devanagari'],
  ['Ada 𝒜', 'a letter of mathematics'],
  ['Ada 👩‍🏫', 'a picture'],
  ['Ada 李', 'one character among others'],
  ['', 'nothing'],
  [' \n ', 'nothing that is seen'],
])('%s is not: %s', (name) => {
  expect(printable(name, hasGlyph)).toBeNull();
});

test('lines and tabs are spaces', () => {
  expect(printable(' Two books,\r\n\tand a pen ', hasGlyph)).toBe('Two books, and a pen');
});

test('who cannot be printed goes by their address, and who is gone by nothing', () => {
  expect(printedName({ name: 'Ada Lovelace', emailName: 'ada' }, hasGlyph)).toBe('Ada Lovelace');
  expect(printedName({ name: '李小龍', emailName: 'bruce.lee' }, hasGlyph)).toBe('bruce.lee');
  expect(printedName(null, hasGlyph)).toBeNull();
});
