import Table from 'cli-table3';
import pc from 'picocolors';

export interface StoryOutcome {
  story: string;
  what: string;
  /** The booking's, the payout's or the dispute's. */
  id: string;
  /** What it and its money came to, in words. */
  outcome: string;
}

/** Prints what happens as it happens; without colours and cursor tricks, so that a log file reads the same. */
export interface Timeline {
  /** The same timeline, with lines that belong to this story. */
  of(story: string): Timeline;
  heading(text: string): void;
  /** One step: what was done, how it was answered, and the ids it concerns. */
  step(what: string, result?: { status?: number | undefined; note?: string | undefined }): void;
  /** One expectation that is met. */
  held(what: string): void;
  /** Something that goes on without being asked. */
  aside(text: string): void;
}

const STORY_WIDTH = 7;
const WHAT_WIDTH = 74;

export function createTimeline(print: (line: string) => void, story = ''): Timeline {
  const started = performance.now();
  const at = () => `${((performance.now() - started) / 1_000).toFixed(1).padStart(6)} s`;
  const lines = (name: string): Timeline => {
    const prefix = () => `${pc.dim(at())}  ${pc.cyan(name.padEnd(STORY_WIDTH))} `;
    return {
      of: lines,
      heading: (text) => print(`\n${pc.bold(text)}`),
      step(what, { status, note } = {}) {
        const code = status === undefined ? '   ' : status < 300 ? pc.green(status) : pc.yellow(status);
        print(`${prefix()}${what.padEnd(WHAT_WIDTH)} ${code}${note ? `  ${pc.dim(note)}` : ''}`.trimEnd());
      },
      held: (what) => print(`${prefix()}${pc.green('✓')} ${what}`),
      aside: (text) => print(`${prefix()}${pc.dim(text)}`),
    };
  };
  return lines(story);
}

/** All stories in one table. */
export function summary(outcomes: StoryOutcome[]): string {
  const table = new Table({
    head: ['', 'Story', 'How it ended', 'Booking, payout or dispute'],
    style: { head: [], border: [] },
  });
  for (const { story, what, outcome, id } of outcomes) table.push([story, what, outcome, id]);
  return table.toString();
}
