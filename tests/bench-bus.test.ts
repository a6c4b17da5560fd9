import { costOf, medians } from '../bench/bus/cost';
import { delays, perSecond } from '../bench/bus/delays';
import { costRows, latencyRows, restText } from '../bench/bus/rows';
import { percentile } from '../bench/stats';

// What the yardstick makes of what it has measured of the event bus.

test('a delay is from the commit of an event to the commit of its row, and an event without a row has none', () => {
  const events = new Map([
    ['a', 1_000],
    ['b', 1_010.5],
    ['lost', 1_020],
  ]);
  const rows = new Map([
    ['b', 1_090.5],
    ['a', 1_012],
    ['of somebody else', 9_000],
  ]);
  expect(delays(events, rows)).toEqual([12, 80]);
  expect(percentile(delays(events, rows), 0.99)).toBe(80);
});

test('a rate is that from the first commit to the last, whatever their order', () => {
  expect(perSecond(new Map(['c', 'a', 'b'].map((id, n) => [id, [30, 10, 20][n] ?? 0])))).toBe(100);
  expect(perSecond(new Map([['a', 1]]))).toBe(0);
  expect(perSecond(new Map())).toBe(0);
});

const round = (services: number, postgres: number, workers: number) => ({ services, postgres, workers, load: 500 });

test('the cost of the bus is what a booking takes more with it, by the medians, without the load generator', () => {
  const on = [round(500, 300, 200), round(510, 310, 280), round(2_000, 300, 200)];
  const off = [round(480, 270, 250), round(490, 280, 180), round(480, 270, 150)];
  const { share, shareLeast, shareMost, shareOfItsProcesses, ...each } = costOf(on, off, 10);
  expect(each).toEqual({ with: 110, without: 95 });
  expect(share).toBeCloseTo(15 / 110);
  expect([shareLeast, shareMost]).toEqual([0, 1_600 / 2_500]);
  // What the workers differ by is chance, and one disturbed round does not count.
  expect(shareOfItsProcesses).toBeCloseTo(50 / 1_000);
  expect(medians(on, 10)).toEqual({ services: 51, postgres: 30, workers: 20, load: 50 });
});

test('the page shows how late a read model is by each way', () => {
  const { head, rows } = latencyRows({
    'notified p50': 11.4,
    'notified p99': 40,
    'looking p50': 1_000,
    'plain max': 1_001,
  });
  expect(head).toEqual(['way', 'p50 ms', 'p95 ms', 'p99 ms', 'max ms']);
  expect(rows).toEqual([
    ['the bus', '11', '–', '40', '–'],
    ['the bus, no notification heard', '1000', '–', '–', '–'],
    ['plain poll', '–', '–', '–', '1001'],
  ]);
});

test('the page shows what each process takes of a booking with the bus and without', () => {
  const figures = {
    'processor time with the bus of postgres': 33.38,
    'processor time with the bus of load': 2,
    'processor time without the bus of postgres': 23.5,
    ...{ withBus: 210.1, withoutBus: 200, idleWith: 25.5, idleWithout: 13, eventsEach: 7.9 },
  };
  expect(costRows(figures)).toEqual({
    head: ['a booking, CPU ms', 'postgres', 'all'],
    rows: [
      ['with relays and consumers', '33.4', '210.1'],
      ['without', '23.5', '200.0'],
    ],
  });
  expect(restText({ figures })).toContain('25.5 ms');
  expect(restText(undefined)).toBe('');
});
