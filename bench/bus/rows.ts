import { BUS_COST_FIGURES, BUS_WAYS, wayFigure } from '../scenarios/names';

// The figures of the event bus, as the page on benchmarks shows them.

type Figures = Readonly<Record<string, number>>;

export interface Rows {
  head: string[];
  rows: string[][];
}

const WAY_NAMES: Record<(typeof BUS_WAYS)[number], string> = {
  notified: 'the bus',
  looking: 'the bus, no notification heard',
  plain: 'plain poll',
};
const SHOWN = ['p50', 'p95', 'p99', 'max'];

const shown = (value: number | undefined, places = 0) => value?.toFixed(places) ?? '–';

/** How late a read model is, by each way. */
export function latencyRows(figures: Figures): Rows {
  return {
    head: ['way', ...SHOWN.map((of) => `${of} ms`)],
    rows: BUS_WAYS.map((way) => [WAY_NAMES[way], ...SHOWN.map((of) => shown(figures[wayFigure(way, of)]))]),
  };
}

/** Processor time of a booking by process. */
export function costRows(figures: Figures): Rows {
  const { with: prefix } = BUS_COST_FIGURES;
  const names = Object.keys(figures)
    .flatMap((figure) => (figure.startsWith(prefix) ? [figure.slice(prefix.length)] : []))
    .filter((name) => name !== 'load');
  const line = (what: string, of: string, all: number | undefined) => [
    what,
    ...names.map((name) => shown(figures[`${of}${name}`], 1)),
    shown(all, 1),
  ];
  return {
    head: ['a booking, CPU ms', ...names, 'all'],
    rows: [
      line('with relays and consumers', prefix, figures.withBus),
      line('without', BUS_COST_FIGURES.without, figures.withoutBus),
    ],
  };
}

/** What it takes to look for events while there are none. */
export function restText(result: { figures: Figures } | undefined): string {
  if (!result) return '';
  const { idleWith, idleWithout, eventsEach } = result.figures;
  return [
    `A booking is ${shown(eventsEach, 1)} events. At rest services and Postgres take ${shown(idleWith, 1)} ms of processor time a second with relays and consumers,`,
    `${shown(idleWithout, 1)} ms without.`,
  ].join('\n');
}
