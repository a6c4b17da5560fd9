import { DAY, endOf, HOUR, MINUTE, SECOND } from './time';

test('a day is 24 hours of 60 minutes of 60 seconds of 1,000 milliseconds', () => {
  expect([SECOND, MINUTE, HOUR, DAY]).toEqual([1_000, 60_000, 3_600_000, 86_400_000]);
});

test.each([
  ['2027-03-28T00:30:00.000Z', 90, '2027-03-28T02:00:00.000Z'],
  ['2027-03-28T01:30:00+01:00', 60, '2027-03-28T01:30:00.000Z'],
  ['2027-12-31T23:45:00Z', 30, '2028-01-01T00:15:00.000Z'],
])('a session from %s of %d minutes ends at %s, whatever clocks on walls do', (start, minutes, end) => {
  expect(endOf(start, minutes)).toBe(end);
});

test('a start that is no instant is an error, not an invalid date', () => {
  expect(() => endOf('tomorrow', 60)).toThrow(RangeError);
});
