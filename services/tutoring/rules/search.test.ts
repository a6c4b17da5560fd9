import { indexedWords, searchKey, searchWords } from './search';

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

  test('a text without spaces is indexed from each character on, and asked for by all its parts', () => {
    expect(indexedWords('小学数学, C++老师')).toEqual(['小学数', '学数学', '数学', '学', 'c++', '老师', '师']);
    expect(searchWords('老师')).toEqual(['老师']);
    expect(searchWords('小学数学')).toEqual(['小学数', '学数学']);
    expect(searchWords('B2老师')).toEqual(['b2', '老师']);
    expect(indexedWords('ab cd')).toEqual(searchWords('ab cd'));
  });

  test('names compare in any case, width and spacing', () => {
    expect(searchKey('Lineare \u3000 ALGEBRA')).toBe('lineare algebra');
  });
});
