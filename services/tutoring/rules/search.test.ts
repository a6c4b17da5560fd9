import { searchKey, searchWords } from './search';

describe('search', () => {
  test('words lose case and accents, keep + and #, and come once', () => {
    expect(searchWords('Ça va? C++, c# & Физика; ça… ÉCOLE 2')).toEqual([
      'ca',
      'va',
      'c++',
      'c#',
      'физика',
      'ecole',
      '2',
    ]);
    expect(searchWords("?! '; --")).toEqual([]);
  });

  test('a word longer than Postgres can index is cut, not refused, and never within a character', () => {
    const [word = ''] = searchWords('𐐷'.repeat(3_000));
    expect([...word]).toHaveLength(60);
    expect(word.isWellFormed()).toBe(true);
  });

  test('names compare in any case, width and spacing', () => {
    expect(searchKey('Lineare \u3000 ALGEBRA')).toBe('lineare algebra');
  });
});
