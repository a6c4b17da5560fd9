import type { SagaFaults, SagaKind } from '../support/fault-proxy';
import type { TestPlatform } from '../support/platform';
import type { Reply } from '../support/service';

// Sign-ups, direct payments and refunds against faults. Bookings, whose steps somebody waits for in many ways, have a table of their own.

/** What meets a step. */
export const FAULTS = {
  dead: 'fails at every attempt until its service is back',
  deadAndCancelled: 'fails at every attempt, and an operator cancels the saga',
  answerLost: 'takes effect and its answer is lost',
  hangs: 'hangs at its first attempt, and reaches the service when the saga is over',
  hangsAndCancelled: 'hangs, an operator cancels the saga, and it reaches the service when that is over',
  refused: 'is refused; where it must happen, an operator has it tried again',
  undoRefused: 'is to be undone, which is refused until an operator has it tried again',
} as const;
export type Fault = keyof typeof FAULTS;

/** How a saga ends, or why it cannot meet the fault there. */
export type Cell<Ending extends string> = Ending | { impossible: string };
export type Cells<Ending extends string> = Record<Fault, Cell<Ending>>;

/** A step of a saga that goes one of its ways. */
export interface Row<Ending extends string = string> {
  step: string;
  way: string;
  /** What the step's key goes on with after the workflow's id, if not with its name alone. */
  call?: string;
  /** How many calls an attempt makes, if more than one. */
  calls?: number;
  runs: 'local' | 'recorded';
  /** A cancel still undoes it. */
  beforePivot: boolean;
  /** What an operator is asked about when it is refused, if not the step's name. */
  asks?: string;
  cells: Cells<Ending>;
}

/** A saga that has been started, and the answer to whoever asked for what it does. */
export interface Scene {
  workflowId: string;
  id: string;
  asked: Promise<Reply>;
}

/** A kind of saga: every step that it takes, and what becomes of it. */
export interface SagaTable<Ending extends string = string> {
  kind: SagaKind;
  rows: Row<Ending>[];
  /** The step whose refusal has all that was done undone; none where nothing is. */
  lastUndone?: string;
  /** What must be true after this ending. */
  truth(ending: Ending, row: Row<Ending>): unknown;
  /** The statuses that may be answered to whoever asked. */
  answers(ending: Ending, row: Row<Ending>): number[];
}

/** The same on a running platform. */
export interface SagaUnderFaults {
  /** Starts a saga that goes by the row's way, with what `lay` lays in its way. */
  begin(row: Row, lay: (faults: SagaFaults) => void): Promise<Scene>;
  /** What is true of it in all databases and at Stripe. */
  facts(scene: Scene): Promise<unknown>;
}

const NO_UNDO = { impossible: 'nothing takes it back' };

/** A step before the pivot. */
export const undoable: Cells<'done' | 'undone'> = {
  dead: 'done',
  deadAndCancelled: 'undone',
  answerLost: 'done',
  hangs: 'done',
  hangsAndCancelled: 'undone',
  refused: 'undone',
  undoRefused: 'undone',
};

/** A step that must happen. */
export const forward: Cells<'done'> = {
  dead: 'done',
  deadAndCancelled: 'done',
  answerLost: 'done',
  hangs: 'done',
  hangsAndCancelled: 'done',
  refused: 'done',
  undoRefused: NO_UNDO,
};

/** A notice: nothing depends on it. */
export const notice: Cells<'done' | 'untold'> = { ...forward, refused: 'untold' };

/**
 * Does one work after another, or `lanes` beside each other. One alone where the proxy lays faults for the next saga of a kind: only one
 * of them may be on its way to its first call.
 */
export function turns(lanes = 1) {
  const last = new Map<number, Promise<unknown>>();
  let count = 0;
  return <T>(work: () => Promise<T>): Promise<T> => {
    const lane = count++ % lanes;
    const mine = (last.get(lane) ?? Promise.resolve()).then(work);
    last.set(
      lane,
      mine.catch(() => undefined),
    );
    return mine;
  };
}

/** The messages that people were told of a saga, by their business keys. */
export async function toldBy({ database }: Pick<TestPlatform, 'database'>, workflowId: string): Promise<string[]> {
  const rows = await database('notification')<{ template: string }[]>`
    select template from notifications where business_key like ${`${workflowId}/%`} order by template`;
  return rows.map(({ template }) => template);
}
