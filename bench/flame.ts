import { readFileSync } from 'node:fs';
import type { TopLevelSpec } from 'vega-lite';
import { z } from 'zod';

const profileSchema = z.object({
  nodes: z.array(
    z.object({
      id: z.number(),
      callFrame: z.object({ functionName: z.string(), url: z.string() }),
      children: z.array(z.number()).default([]),
    }),
  ),
  samples: z.array(z.number()),
});

/** A function on one stack: its share of the busy time from `from` to `to`. */
interface Frame {
  name: string;
  from: number;
  to: number;
  depth: number;
  where: 'ours' | 'packages' | 'node';
}

// Narrower frames could not be seen.
const LEAST_SHARE = 0.002;
const LABELLED_SHARE = 0.03;
const ROW_PX = 15;
const WIDTH_PX = 1_400;
const PX_PER_LETTER = 6;
const NOT_BUSY = new Set(['(idle)', '(program)']);

/** A flame graph of a .cpuprofile, the callers at the bottom. Idle time is left out. @throws Error when the file is something else */
export function flameGraph(file: string, title: string): TopLevelSpec {
  const frames = framesOf(profileSchema.parse(JSON.parse(readFileSync(file, 'utf8'))));
  const depth = Math.max(1, ...frames.map((frame) => frame.depth + 1));
  const x = { field: 'from', type: 'quantitative' as const, axis: null, scale: { domain: [0, 1] } };
  const labelled = frames
    .filter(({ from, to }) => to - from > LABELLED_SHARE)
    .map((frame) => {
      const letters = Math.floor(((frame.to - frame.from) * WIDTH_PX) / PX_PER_LETTER);
      return { ...frame, name: frame.name.slice(0, letters), row: frame.depth + 0.5 };
    });
  return {
    title,
    width: WIDTH_PX,
    height: depth * ROW_PX,
    background: 'white',
    config: { font: 'system-ui, sans-serif', view: { stroke: 'transparent' } },
    layer: [
      {
        data: { values: frames.map((frame) => ({ ...frame, above: frame.depth + 1 })) },
        mark: { type: 'rect', stroke: 'white', strokeWidth: 0.5, tooltip: null },
        encoding: {
          x,
          x2: { field: 'to' },
          y: { field: 'depth', type: 'quantitative', axis: null, scale: { domain: [0, depth], nice: false } },
          y2: { field: 'above' },
          color: {
            field: 'where',
            type: 'nominal',
            title: 'code of',
            scale: { domain: ['ours', 'packages', 'node'], range: ['#f58518', '#eeca3b', '#bab0ac'] },
          },
        },
      },
      {
        data: { values: labelled },
        mark: { type: 'text', align: 'left', dx: 3, fontSize: 10, tooltip: null },
        encoding: { x, y: { field: 'row', type: 'quantitative' }, text: { field: 'name' } },
      },
    ],
  };
}

function framesOf({ nodes, samples }: z.output<typeof profileSchema>): Frame[] {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const own = new Map<number, number>();
  for (const id of samples) {
    if (!NOT_BUSY.has(byId.get(id)?.callFrame.functionName ?? '')) own.set(id, (own.get(id) ?? 0) + 1);
  }
  const totals = new Map<number, number>();
  const total = (id: number): number => {
    const sum = (byId.get(id)?.children ?? []).reduce((below, child) => below + total(child), own.get(id) ?? 0);
    totals.set(id, sum);
    return sum;
  };
  const [root] = nodes;
  const all = root ? total(root.id) : 0;
  const frames: Frame[] = [];
  const place = (id: number, from: number, depth: number): void => {
    const node = byId.get(id);
    const share = (totals.get(id) ?? 0) / all;
    if (!node || !(share >= LEAST_SHARE)) return;
    const { functionName, url } = node.callFrame;
    frames.push({ name: functionName || '(anonymous)', from, to: from + share, depth, where: whereIs(url) });
    let at = from;
    for (const child of node.children) {
      place(child, at, depth + 1);
      at += (totals.get(child) ?? 0) / all;
    }
  };
  if (root) place(root.id, 0, 0);
  return frames;
}

function whereIs(url: string): Frame['where'] {
  if (url.includes('/node_modules/')) return 'packages';
  return url === '' || url.startsWith('node:') ? 'node' : 'ours';
}
