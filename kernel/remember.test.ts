import { remember } from './remember';

test('the oldest make room, and what is set again is the newest', () => {
  const remembered = new Map<string, number>();
  for (const [key, value] of [
    ['a', 1],
    ['b', 2],
    ['a', 3],
    ['c', 4],
  ] as const)
    remember(remembered, key, value, 2);
  expect([...remembered]).toEqual([
    ['a', 3],
    ['c', 4],
  ]);
});
