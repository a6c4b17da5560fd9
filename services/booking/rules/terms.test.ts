import { refundFor } from './terms';

const START = '2030-05-01T10:00:00.000Z';
const before = (minutes: number, start = START) => new Date(Date.parse(start) - minutes * 60_000);
const eur = (amount: number) => ({ amount, currency: 'EUR' });

describe('what a cancel gives back', () => {
  test.each([
    ['student', 24 * 60 + 1, 4500, 4500],
    ['student', 24 * 60, 4500, 4500],
    ['student', 24 * 60 - 1, 4500, 2250],
    ['student', 4 * 60, 4500, 2250],
    ['student', 4 * 60 - 1, 4500, 0],
    ['student', 0, 4500, 0],
    ['student', -60, 4500, 0],
    ['student', 12 * 60, 4501, 2251],
    ['student', 12 * 60, 1, 1],
    ['student', 12 * 60, 0, 0],
    ['tutor', 1, 4500, 4500],
    ['tutor', -60, 4500, 4500],
    ['operator', 1, 4500, 4500],
  ] as const)('%s, %d minutes before: of %d back %d', (by, minutes, captured, refund) => {
    const requestedAt = before(minutes).toISOString();
    expect(refundFor({ by, captured: eur(captured), refunded: eur(0), startsAt: START, requestedAt })).toEqual({
      refund: eur(refund),
      retained: eur(captured - refund),
    });
  });

  test('what was given back before is not given back again', () => {
    const cancel = { captured: eur(4500), refunded: eur(1500), startsAt: START };
    const requestedAt = before(12 * 60).toISOString();
    expect(refundFor({ ...cancel, by: 'student', requestedAt })).toEqual({ refund: eur(1500), retained: eur(1500) });
    expect(refundFor({ ...cancel, by: 'tutor', requestedAt })).toEqual({ refund: eur(3000), retained: eur(0) });
  });

  test('the milliseconds count: a request that arrived in time gets the higher share', () => {
    const at = (ms: number) => new Date(Date.parse(START) - 24 * 3_600_000 + ms).toISOString();
    const share = (requestedAt: string) =>
      refundFor({ by: 'student', captured: eur(100), refunded: eur(0), startsAt: START, requestedAt }).refund.amount;
    expect(share(at(0))).toBe(100);
    expect(share(at(1))).toBe(50);
  });
});
