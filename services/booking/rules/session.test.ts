import { bookingRefusal, overlaps, requirePrice } from './session';

const START = '2030-05-01T10:00:00.000Z';
const before = (minutes: number, start = START) => new Date(Date.parse(start) - minutes * 60_000);
const eur = (amount: number) => ({ amount, currency: 'EUR' });

describe('sessions', () => {
  const session = (startsAt: string, endsAt: string) => ({
    startsAt: `2030-05-01T${startsAt}:00.000Z`,
    endsAt: `2030-05-01T${endsAt}:00.000Z`,
  });

  test.each([
    ['the same', '10:00', '11:00', true],
    ['within', '10:15', '10:45', true],
    ['around', '09:00', '12:00', true],
    ['over the start', '09:30', '10:15', true],
    ['over the end', '10:45', '11:30', true],
    ['right before', '09:00', '10:00', false],
    ['right after', '11:00', '12:00', false],
    ['another time', '15:00', '16:00', false],
  ])('overlap: %s', (_, startsAt, endsAt, expected) => {
    expect(overlaps(session('10:00', '11:00'), session(startsAt, endsAt))).toBe(expected);
    expect(overlaps(session(startsAt, endsAt), session('10:00', '11:00'))).toBe(expected);
  });

  test('an offset in a time changes nothing about what overlaps', () => {
    const other = { startsAt: '2030-05-01T12:30:00+02:00', endsAt: '2030-05-01T13:30:00+02:00' };
    expect(overlaps(session('10:00', '11:00'), other)).toBe(true);
  });

  const wanted = { scheduledAt: START, durationMinutes: 60 };
  test.each([
    ['a minute ahead', before(1), undefined],
    ['starting this moment', before(0), 'slot_unavailable'],
    ['in the past', before(-1), 'slot_unavailable'],
    ['exactly 365 days ahead', before(365 * 24 * 60), undefined],
    ['more than 365 days ahead', before(365 * 24 * 60 + 1), 'slot_unavailable'],
  ])('a session %s', (_, now, code) => {
    expect(bookingRefusal(wanted, [], now)?.code).toBe(code);
  });

  test('a student is booked once at a time', () => {
    expect(bookingRefusal(wanted, [session('10:30', '11:30')], before(60))?.code).toBe('conflict');
    expect(bookingRefusal(wanted, [session('11:00', '12:00')], before(60))).toBeUndefined();
  });

  test('a price is at least what Stripe charges', () => {
    expect(() => requirePrice(eur(50))).not.toThrow();
    expect(() => requirePrice({ amount: 17_499, currency: 'HUF' })).toThrow('validation_failed');
    expect(() => requirePrice(eur(49))).toThrow(expect.objectContaining({ code: 'validation_failed' }));
  });
});
