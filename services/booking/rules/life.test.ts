import { reachable } from '../../../kernel/transitions';
import { BookingStatus } from '../contract';
import { BOOKING_TRANSITIONS, confirmationMode, isLive, requireTransition, statusOfCancelled } from './life';

describe('the life of a booking', () => {
  test('every status can be reached from pending', () => {
    expect([...reachable(BOOKING_TRANSITIONS, 'pending')].sort()).toEqual([...BookingStatus.options].sort());
  });

  test.each([
    ['pending', 'confirmed', true],
    ['pending', 'cancelled', true],
    ['pending', 'completed', false],
    ['pending', 'refunded', false],
    ['confirmed', 'completed', true],
    ['confirmed', 'cancelled', true],
    ['confirmed', 'pending', false],
    ['completed', 'cancelled', false],
    ['cancelled', 'refunded', true],
    ['cancelled', 'confirmed', false],
    ['refunded', 'cancelled', true],
    ['refunded', 'confirmed', false],
  ] as const)('%s to %s: %s', (from, to, allowed) => {
    if (allowed) expect(() => requireTransition(from, to)).not.toThrow();
    else expect(() => requireTransition(from, to)).toThrow(expect.objectContaining({ code: 'invalid_state' }));
  });

  test('only pending and confirmed bookings take time', () => {
    expect(BookingStatus.options.filter(isLive)).toEqual(['pending', 'confirmed']);
  });

  test('an instant tutor is booked at once, any other says so first', () => {
    expect(confirmationMode(true)).toBe('at_once');
    expect(confirmationMode(false)).toBe('by_tutor');
  });

  test.each([
    [4500, 4500, 'refunded'],
    [4500, 4499, 'cancelled'],
    [4500, 0, 'cancelled'],
    [0, 0, 'cancelled'],
  ])('one that came to nothing, of %d taken %d given back, is %s', (captured, refunded, status) => {
    expect(statusOfCancelled({ captured, refunded })).toBe(status);
  });
});
