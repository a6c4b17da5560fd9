import { refusal } from '../../../tests/support/tutors';
import type { TutorSort } from '../contract';
import { TUTOR_CURSORS } from './search';

describe('cursors', () => {
  const id = '0198c0de-0000-7000-8000-000000000001';

  test('lead back to the place they were made at', () => {
    const places: [TutorSort, number[]][] = [
      ['rating', [450, 12]],
      ['price_asc', [4500]],
      ['price_desc', [0]],
      ['newest', []],
    ];
    for (const [sort, values] of places) {
      const cursor = TUTOR_CURSORS[sort];
      expect(cursor.read(cursor.write([sort, id, ...values]))).toEqual([sort, id, ...values]);
    }
  });

  const made = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
  test.each([
    ['of another sort', TUTOR_CURSORS.price_asc.write(['price_asc', id, 4500])],
    ['with too few values', made(['rating', id, 450])],
    ['with too many values', made(['rating', id, 450, 1, 1])],
    ['with a fraction', made(['rating', id, 450.5, 1])],
    ['with a negative value', made(['rating', id, -1, 1])],
    ['with a value beyond integers', made(['rating', id, 450, 1e300])],
    ['with a text for a value', made(['rating', id, '450', 1])],
    ['with no id', made(['rating', 'x', 450, 1])],
    ['with a number for an id', made(['rating', 5, 450, 1])],
    ['that is no list', made({ sort: 'rating' })],
    ['that is not JSON', 'abc'],
    ['that is not base64', '%%%'],
  ])('one %s is refused', (_, cursor) => {
    expect(refusal(() => TUTOR_CURSORS.rating.read(cursor))).toEqual({
      code: 'validation_failed',
      paths: ['query.cursor'],
    });
  });
});
