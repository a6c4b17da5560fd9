import { z } from 'zod';
import { ProblemError } from '../kernel/errors';
import { listCursor } from './cursor';
import { Uuid } from './schemas';

const list = listCursor(z.tuple([z.int().min(0), Uuid]));
const ID = '01a1fe50-9756-73ab-9bbe-25a61f491c75';

test('a cursor leads back to where the page ended, and needs no escaping in a URL', () => {
  const cursor = list.write([1_795_910_400_000, ID]);
  expect(cursor).toMatch(/^[\w-]+$/);
  expect(list.read(cursor)).toEqual([1_795_910_400_000, ID]);
});

test.each([
  ['nothing that was encoded', 'next'],
  ['no JSON', Buffer.from('{').toString('base64url')],
  ['the place of another list', listCursor(Uuid).write(ID)],
  ['a value that no page ended at', Buffer.from(JSON.stringify([-1, ID])).toString('base64url')],
  ['more than a place', Buffer.from(JSON.stringify([1, ID, 'or 1=1'])).toString('base64url')],
])('%s is refused as a field that is not valid', (_, cursor) => {
  const refusal = (() => {
    try {
      return list.read(cursor);
    } catch (error) {
      return error;
    }
  })();
  expect(refusal).toBeInstanceOf(ProblemError);
  expect(refusal).toMatchObject({
    code: 'validation_failed',
    more: { errors: [{ path: 'query.cursor', message: 'is not a cursor of this list' }] },
  });
});
