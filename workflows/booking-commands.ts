import type { UpdateDefinition } from '@temporalio/common';
import { condition, setHandler } from '@temporalio/workflow';
import type { ErrorCode } from '../kernel/errors';
import type { Party } from '../kernel/session';
import { DAY } from '../kernel/time';
import { cancelUpdate, completeUpdate, confirmUpdate, declineUpdate, rescheduleUpdate } from './booking.api';
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

/** What a person asks of the booking. */
type Command =
  | { kind: 'confirm' }
  | { kind: 'decline'; noteId: string | null }
  | { kind: 'cancel'; by: Party; noteId: string | null; requestedAt: string }
  | { kind: 'reschedule'; by: 'student' | 'tutor'; scheduledAt: string; requestedAt: string }
  | { kind: 'complete'; requestedAt: string };

/** A command in the queue, and the answer that its client waits for. `number` counts the commands of this booking. */
export type QueuedCommand = Command & { number: number; accept(): void; refuse(code: ErrorCode): void };

export interface CommandQueue {
  /** From now on the commands of `phase` are accepted. */
  enter(phase: Phase): void;
  /** The next command, or undefined when none came until `until` (milliseconds since the epoch). */
  next(until: number): Promise<QueuedCommand | undefined>;
  cancelByOperator(): void;
  /** Answers everybody still waiting, by how the booking ended. */
  answerAll(reason: string): void;
}

/** Takes the booking's updates one at a time, so that no two of them interleave. */
export function createCommandQueue(session: {
  startsAt(): number;
  endsAt(): number;
  /**
   * Called at once when a cancel arrives before the pivot, also while the queue is being made, with an update that came before the
   * workflow's first task. After the pivot a cancel is a command like any other.
   */
  cancelBeforePivot(cancel: Command & { kind: 'cancel' }): void;
}): CommandQueue {
  const queue: QueuedCommand[] = [];
  const unanswered = new Map<number, QueuedCommand>();
  let phase: Phase = 'requesting';
  let count = 0;

  const allowed = (kind: Command['kind']) => COMMANDS_BY_PHASE[phase].includes(kind);

  function refusal(asked: Command): string | undefined {
    if (!allowed(asked.kind)) return `A booking that is ${phase.replace('_', ' ')} cannot take this`;
    if (asked.kind === 'complete' && Date.parse(asked.requestedAt) < session.endsAt())
      return 'The session has not ended yet';
    if (asked.kind !== 'reschedule') return undefined;
    const ahead = session.startsAt() - Date.parse(asked.requestedAt);
    if (asked.by === 'student' && ahead < DAY) return 'A student can move a session until 24 hours before its start';
    return ahead <= 0 ? 'The session has started' : undefined;
  }

  function validate(asked: Command): void {
    const reason = refusal(asked);
    if (reason) throw refuse('invalid_state', reason);
  }

  function enqueue(asked: Command): { answer(): Promise<void> } {
    let answered = false;
    let refused: ErrorCode | undefined;
    const number = ++count;
    const settle = (code?: ErrorCode) => {
      answered = true;
      refused = code;
      unanswered.delete(number);
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

  function take<Argument>(
    update: UpdateDefinition<void, [Argument]>,
    commandOf: (argument: Argument) => Command,
  ): void {
    setHandler(update, (argument) => enqueue(commandOf(argument)).answer(), {
      validator: (argument) => validate(commandOf(argument)),
    });
  }

  take(confirmUpdate, () => ({ kind: 'confirm' }));
  take(declineUpdate, ({ noteId }) => ({ kind: 'decline', noteId }));
  take(cancelUpdate, ({ by, noteId, requestedAt }) => ({ kind: 'cancel', by, noteId, requestedAt }));
  take(rescheduleUpdate, (asked) => ({ kind: 'reschedule', ...asked }));
  take(completeUpdate, (asked) => ({ kind: 'complete', ...asked }));

  return {
    enter(next) {
      phase = next;
    },
    async next(until) {
      for (;;) {
        const left = until - Date.now();
        if (queue.length === 0 && left > 0) await condition(() => queue.length > 0, left);
        const command = queue.shift();
        if (command === undefined) return undefined;
        // Accepted when it arrived; what was decided before its turn may have overtaken it.
        if (refusal(command) === undefined) return command;
        command.refuse('invalid_state');
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
        else
          command.refuse(
            command.kind === 'confirm' && reason.startsWith('payment_') ? 'payment_failed' : 'invalid_state',
          );
      }
    },
  };
}
