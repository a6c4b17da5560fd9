import type { TopLevelSpec } from 'vega-lite';
import { ENGINES } from './engines';
import { arrivalText } from './results';
import type { Line } from './table';

const FONT = 'system-ui, sans-serif';
const SIZE = { width: 560, height: 220 };
const CONFIG = {
  font: FONT,
  background: 'white',
  view: { stroke: 'transparent' },
  axis: { grid: true, gridColor: '#eee', domainColor: '#888' },
};

/** Throughput by engine, a group of bars for each number of clients. */
export function throughputPlot(lines: readonly Line[]): TopLevelSpec {
  const loads = loadsOf(lines);
  return {
    config: CONFIG,
    ...SIZE,
    data: {
      values: lines.map(({ engine, arrival, donePerSecond }) => ({
        engine,
        load: arrivalText(arrival),
        donePerSecond,
      })),
    },
    mark: { type: 'bar', tooltip: null },
    encoding: {
      x: { field: 'load', type: 'nominal', sort: loads, title: 'clients', axis: { labelAngle: 0 } },
      xOffset: { field: 'engine', sort: [...ENGINES] },
      y: { field: 'donePerSecond', type: 'quantitative', title: 'bookings done a second' },
      color: engineColor(),
    },
  };
}

/** Latencies by engine and rate: a point at the median, a line up to the 99th percentile, a tick at the 95th. */
export function latencyPlot(lines: readonly Line[]): TopLevelSpec {
  const values = lines.map(({ engine, arrival, p50, p95, p99 }) => ({
    engine,
    load: arrivalText(arrival),
    p50,
    p95,
    p99,
  }));
  const y = { field: 'engine', type: 'nominal' as const, sort: [...ENGINES], title: null };
  const title = 'ms: median ●, 95 % |, 99 % where the line ends';
  const x = (field: string) => ({
    field,
    type: 'quantitative' as const,
    title,
    scale: { type: 'log' as const },
  });
  return {
    config: CONFIG,
    data: { values },
    facet: { row: { field: 'load', type: 'nominal', sort: loadsOf(lines), title: null } },
    spec: {
      width: SIZE.width,
      height: 150,
      layer: [
        {
          mark: { type: 'rule', tooltip: null },
          encoding: {
            y,
            x: x('p50'),
            x2: { field: 'p99' },
            color: engineColor(null),
          },
        },
        {
          mark: { type: 'point', filled: true, size: 60, tooltip: null },
          encoding: { y, x: x('p50'), color: engineColor(null) },
        },
        {
          mark: { type: 'tick', thickness: 2, tooltip: null },
          encoding: { y, x: x('p95'), color: engineColor(null) },
        },
      ],
    },
  };
}

/** CPU time of a booking by engine, stacked by process. */
export function cpuPlot(lines: readonly Line[]): TopLevelSpec {
  const values = lines.flatMap(({ engine, cpu }) =>
    Object.entries(cpu)
      .filter(([name]) => name !== 'load')
      .map(([name, ms]) => ({ engine, process: name, ms })),
  );
  return {
    config: CONFIG,
    ...SIZE,
    data: { values },
    mark: { type: 'bar', tooltip: null },
    encoding: {
      y: { field: 'engine', type: 'nominal', sort: [...ENGINES], title: null },
      x: { field: 'ms', type: 'quantitative', stack: true, title: 'CPU ms a booking' },
      color: { field: 'process', type: 'nominal', title: 'process', scale: { scheme: 'tableau10' } },
    },
  };
}

const loadsOf = (lines: readonly Line[]) => [...new Set(lines.map(({ arrival }) => arrivalText(arrival)))];

function engineColor(legend?: null) {
  return {
    field: 'engine',
    type: 'nominal' as const,
    scale: { domain: [...ENGINES], scheme: 'tableau10' as const },
    ...(legend === null ? { legend } : { title: 'engine' }),
  };
}
