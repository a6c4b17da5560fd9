import { ApplicationFailure, type UpdateDefinition } from '@temporalio/common';
import { condition, currentUpdateInfo, patched, setHandler } from '@temporalio/workflow';
import type { ErrorCode } from '../kernel/errors';
import { CONTINUES_AS_NEW } from '../kernel/saga-type';
import { MOST_MOVES } from '../kernel/session';
import { DAY } from '../kernel/time';
import { cancelUpdate, completeUpdate, confirmUpdate, declineUpdate, rescheduleUpdate } from './booking.api';
import { COMMAND_OF, type Command } from './booking-arguments';
import { refuse } from './failures';

export type Phase = 'requesting' | 'awaiting_tutor' | 'taking_payment' | 'confirmed' | 'ending';

/** Which commands each phase accepts; everything else is refused before it leaves a trace in the history. */
export const COMMANDS_BY_PHASE: Readonly<Record<Phase, readonly Command['kind'][]>> = {
  // The tutor may answer what the row already shows, while a task that was lost is being repeated.
  requesting: ['cancel', 'confirm', 'decline'],
  awaiting_tutor: ['confirm', 'decline', 'cancel'],
  taking_payment: ['cancel'],
  confirmed: ['cancel', 'reschedule', 'complete'],
  ending: [],
};

/** Temporal forgets the ids of updates with the run; a client that repeats one within a day is rarely further back than this. */
const ANSWERS_KEPT = 100;
/**
 * Sagas of before judged a move by themselves, and gave the old time away before they knew that the booking could have the new one.
 */
export const RESERVES_FIRST = 'reserves-before-it-switches';
/** Bookings that were begun before could be moved as often as anybody liked. */
const MOVES_ARE_CAPPED = 'moves-are-capped';

/** A command in the queue, and the answer that its client waits for. `number` counts the commands of this booking. */
export type QueuedCommand = Command & { number: number; accept(): void; refuse(code: ErrorCode): void };

/** What one run of a booking hands on to the next of its commands. */
export interface CommandsSoFar {
  /** How many there were: the keys of their steps go by it. */
  count: number;
  /** How many moves were made. */
  moves: number;
  /** The newest updates, by id, with the code that each was refused with; null for one that was done. */
  answers: [updateId: string, refusal: ErrorCode | null][];
}

export interface CommandQueue {
  /** From now on the commands of `phase` are accepted. */
  enter(phase: Phase): void;
  /**
   * The next command, or undefined when none came until `until` (milliseconds since the epoch), or when `enough` became true while none
   * was waiting.
   */
  next(until: number, enough?: () => boolean): Promise<QueuedCommand | undefined>;
  cancelByOperator(): void;
  /** Answers everybody still waiting, by how the booking ended. */
  answerAll(reason: string): void;
  /** A move was made. */
  moved(): void;
  /** Whether new updates are sent on to the next run, which then begins soon. */
  sendOn(whether: boolean): void;
  /** How many updates this run has accepted, refused afterwards or not: Temporal takes 2,000 in a run. */
  accepted(): number;
  soFar(): CommandsSoFar;
}

/** Takes the booking's updates one at a time, so that no two of them interleave. */
export function createCommandQueue(
  session: {
    startsAt(): number;
    endsAt(): number;
    /** Whether an earlier move is still under way. */
    isBusy(): boolean;
    /**
     * Called at once when a cancel arrives before the pivot, also while the queue is being made, with an update that came before the
     * workflow's first task. After the pivot a cancel is a command like any other.
     */
    cancelBeforePivot(cancel: Command & { kind: 'cancel' }): void;
  },
  before: CommandsSoFar | undefined,
): CommandQueue {
  const queue: QueuedCommand[] = [];
  const unanswered = new Map<number, QueuedCommand>();
  const answers = new Map(before?.answers);
  let phase: Phase = before ? 'confirmed' : 'requesting';
  let sendsOn = false;
  let count = before?.count ?? 0;
  let moves = before?.moves ?? 0;
  let accepted = 0;

  const allowed = (kind: Command['kind']) => COMMANDS_BY_PHASE[phase].includes(kind);

  /** What the booking's state has against a command. */
  function refusal(asked: Command): string | undefined {
    if (!allowed(asked.kind)) return `A booking that is ${phase.replace('_', ' ')} cannot take this`;
    if (asked.kind === 'complete' && Date.parse(asked.requestedAt) < session.endsAt())
      return 'The session has not ended yet';
    return undefined;
  }

  /** Whether a move comes too late by the terms of before: booking knows today's, and is asked for them. */
  function wasTooLate(asked: Command): boolean {
    if (asked.kind !== 'reschedule') return false;
    const ahead = session.startsAt() - Date.parse(asked.requestedAt);
    return asked.by === 'student' ? ahead < DAY : ahead <= 0;
  }

  const wasMovedEnough = (asked: Command) => asked.kind === 'reschedule' && moves >= MOST_MOVES;

  function validate(asked: Command): void {
    const reason = refusal(asked);
    if (reason) throw refuse('invalid_state', reason);
    if (wasMovedEnough(asked)) throw refuse('too_many_moves');
    if (sendsOn) throw ApplicationFailure.create({ type: CONTINUES_AS_NEW, nonRetryable: true, category: 'BENIGN' });
    if (asked.kind === 'reschedule' && session.isBusy())
      throw refuse('upstream_unavailable', 'An earlier move is still under way');
  }

  /** What speaks against a command at its turn: it was accepted when it arrived, and what was decided since may have overtaken it. */
  function lateRefusal(command: Command): ErrorCode | undefined {
    if (refusal(command) !== undefined) return 'invalid_state';
    if (wasTooLate(command) && !patched(RESERVES_FIRST)) return 'invalid_state';
    return wasMovedEnough(command) && patched(MOVES_ARE_CAPPED) ? 'too_many_moves' : undefined;
  }

  function enqueue(asked: Command, updateId?: string): { answer(): Promise<void> } {
    let answered = false;
    let refused: ErrorCode | undefined;
    const number = ++count;
    const settle = (code?: ErrorCode) => {
      answered = true;
      refused = code;
      unanswered.delete(number);
      if (updateId !== undefined) answers.set(updateId, code ?? null);
    };
    const command: QueuedCommand = { ...asked, number, accept: () => settle(), refuse: (code) => settle(code) };
    unanswered.set(number, command);
    if (asked.kind === 'cancel' && phase !== 'confirmed') session.cancelBeforePivot(asked);
    else queue.push(command);
    return {
      async answer() {
        await condition(() => answered);
        if (refused) throw refuse(refused);
      },
    };
  }

  function take<Argument>(update: UpdateDefinition<void, [Argument]>, commandOf: (argument: unknown) => Command): void {
    const updateId = () => currentUpdateInfo()?.id;
    const repeated = () => before?.answers.find(([id]) => id === updateId());
    setHandler(
      update,
      async (argument) => {
        accepted += 1;
        const earlier = repeated();
        if (!earlier) return enqueue(commandOf(argument), updateId()).answer();
        const [, refused] = earlier;
        if (refused) throw refuse(refused);
      },
      {
        validator(argument) {
          const command = commandOf(argument);
          if (!repeated()) validate(command);
        },
      },
    );
  }

  take(confirmUpdate, COMMAND_OF.confirm);
  take(declineUpdate, COMMAND_OF.decline);
  take(cancelUpdate, COMMAND_OF.cancel);
  take(rescheduleUpdate, COMMAND_OF.reschedule);
  take(completeUpdate, COMMAND_OF.complete);

  return {
    enter(next) {
      phase = next;
    },
    async next(until, enough = () => false) {
      for (;;) {
        const left = until - Date.now();
        if (queue.length === 0 && left > 0) await condition(() => queue.length > 0 || enough(), left);
        const command = queue.shift();
        if (command === undefined) return undefined;
        const code = lateRefusal(command);
        if (code === undefined) return command;
        command.refuse(code);
      }
    },
    cancelByOperator() {
      if (allowed('cancel'))
        enqueue({ kind: 'cancel', by: 'operator', noteId: null, requestedAt: new Date(Date.now()).toISOString() });
    },
    answerAll(reason) {
      for (const command of [...unanswered.values()]) {
        // Of two people who cancelled at once one was first, and the other's terms do not hold.
        if (command.kind === 'cancel' && reason === `cancelled_by_${command.by}`) command.accept();
        else if (command.kind === 'decline' && reason === 'declined') command.accept();
        else command.refuse(command.kind === 'confirm' ? refusalOfConfirm(reason) : 'invalid_state');
      }
    },
    moved() {
      moves += 1;
    },
    sendOn(whether) {
      sendsOn = whether;
    },
    accepted: () => accepted,
    soFar: () => ({ count, moves, answers: [...answers].slice(-ANSWERS_KEPT) }),
  };
}

/** What a tutor is told whose confirmation came to nothing for `reason`. */
function refusalOfConfirm(reason: string): ErrorCode {
  if (reason === 'platform_unavailable') return 'upstream_unavailable';
  return reason.startsWith('payment_') ? 'payment_failed' : 'invalid_state';
}
