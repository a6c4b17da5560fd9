import { isOnGrid, LENGTH_STEP_MINUTES, LONGEST_MINUTES, SHORTEST_MINUTES } from './session';

test.each([
  ['2027-03-28T00:45:00.000Z', true],
  ['2027-03-28T00:45:00.001Z', false],
  ['2027-03-28T00:50:00.000Z', false],
])('%s is a start: %s', (start, expected) => {
  expect(isOnGrid(Date.parse(start))).toBe(expected);
});

test('the shortest and the longest session can be asked for', () => {
  expect([SHORTEST_MINUTES % LENGTH_STEP_MINUTES, LONGEST_MINUTES % LENGTH_STEP_MINUTES]).toEqual([0, 0]);
});
