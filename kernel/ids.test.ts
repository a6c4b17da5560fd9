import { uuidv7 } from '../platform/ids';
import { isUuid } from './ids';

test('UUIDs of every version of RFC 9562 are recognised in either case', () => {
  const id = uuidv7();
  expect(isUuid(id)).toBe(true);
  expect(isUuid(id.toUpperCase())).toBe(true);
  expect(isUuid('6ba7b810-9dad-11d1-80b4-00c04fd430c8')).toBe(true); // version 1
  expect(isUuid('919108f7-52d1-4320-9bac-f847db4148a8')).toBe(true); // version 4
});

test.each([
  ['', 'nothing'],
  ['919108f7-52d1-4320-9bac-f847db4148a', 'too short'],
  ['919108f7-52d1-4320-9bac-f847db4148a8\n', 'a line break behind it'],
  ['919108f752d143209bacf847db4148a8', 'no hyphens'],
  ['919108f7-52d1-9320-9bac-f847db4148a8', 'no such version'],
  ['919108f7-52d1-4320-cbac-f847db4148a8', 'another variant'],
  ['{919108f7-52d1-4320-9bac-f847db4148a8}', 'braces'],
])('%j is no UUID: %s', (text) => {
  expect(isUuid(text)).toBe(false);
});
