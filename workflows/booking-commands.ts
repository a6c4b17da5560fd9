import { condition, setHandler } from '@temporalio/workflow';
import type { ErrorCode } from '../kernel/errors';
import type { Party } from '../kernel/session';
import { DAY } from '../kernel/time';
import { cancelBooking, completeBooking, confirmBooking, declineBooking, rescheduleBooking } from './booking.api';
import { refuse } from './failures';

export type Phase = 'requesting' | 'awaiting_tutor' | 'taking_payment' | 'confirmed' | 'ending';

/** Which commands each phase accepts; everything else is refused before it leaves a trace in the history. */
const ALLOWED: Readonly<Record<Phase, readonly Wish['kind'][]>> = {
  // The tutor may answer what the row already shows, while a task that was lost is being repeated.
  requesting: ['cancel', 'confirm', 'decline'],
  awaiting_tutor: ['confirm', 'decline', 'cancel'],
  taking_payment: ['cancel'],
  confirmed: ['cancel', 'reschedule', 'complete'],
  ending: [],
};

type Wish =
  | { kind: 'confirm' }
  | { kind: 'decline'; noteId: string | null }
  | { kind: 'cancel'; by: Party; noteId: string | null; requestedAt: string }
  | { kind: 'reschedule'; by: 'student' | 'tutor'; scheduledAt: string; requestedAt: string }
  | { kind: 'complete'; requestedAt: string };

/** A person's command and the answer it waits for. `number` counts the commands of this booking. */
export type Command = Wish & { number: number; accept(): void; refuse(code: ErrorCode): void };

export interface CommandQueue {
  /** From now on the commands of `phase` are accepted. */
  enter(phase: Phase): void;
  /** The next command, or undefined when none came until `until` (milliseconds since the epoch). */
  next(until: number): Promise<Command | undefined>;
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
  cancelBeforePivot(cancel: Wish & { kind: 'cancel' }): void;
}): CommandQueue {
  const queue: Command[] = [];
  const unanswered = new Map<number, Command>();
  let phase: Phase = 'requesting';
  let count = 0;

  const allowed = (kind: Wish['kind']) => ALLOWED[phase].includes(kind);

  function refusal(wish: Wish): string | undefined {
    if (!allowed(wish.kind)) return `A booking that is ${phase.replace('_', ' ')} cannot take this`;
    if (wish.kind === 'complete' && Date.parse(wish.requestedAt) < session.endsAt())
      return 'The session has not ended yet';
    if (wish.kind !== 'reschedule') return undefined;
    const ahead = session.startsAt() - Date.parse(wish.requestedAt);
    if (wish.by === 'student' && ahead < DAY) return 'A student can move a session until 24 hours before its start';
    return ahead <= 0 ? 'The session has started' : undefined;
  }

  function validate(wish: Wish): void {
    const reason = refusal(wish);
    if (reason) throw refuse('invalid_state', reason);
  }

  function enqueue(wish: Wish): { answer(): Promise<void> } {
    let answered = false;
    let refused: ErrorCode | undefined;
    const number = ++count;
    const settle = (code?: ErrorCode) => {
      answered = true;
      refused = code;
      unanswered.delete(number);
    };
    const command: Command = { ...wish, number, accept: () => settle(), refuse: (code) => settle(code) };
    unanswered.set(number, command);
    if (wish.kind === 'cancel' && phase !== 'confirmed') session.cancelBeforePivot(wish);
    else queue.push(command);
    return {
      async answer() {
        await condition(() => answered);
        if (refused) throw refuse(refused);
      },
    };
  }

  const accept = (wish: Wish) => enqueue(wish).answer();
  setHandler(confirmBooking, (_wish) => accept({ kind: 'confirm' }), {
    validator: (_wish) => validate({ kind: 'confirm' }),
  });
  setHandler(declineBooking, ({ noteId }) => accept({ kind: 'decline', noteId }), {
    validator: ({ noteId }) => validate({ kind: 'decline', noteId }),
  });
  setHandler(cancelBooking, (wish) => accept(cancelWish(wish)), { validator: (wish) => validate(cancelWish(wish)) });
  setHandler(rescheduleBooking, (wish) => accept({ kind: 'reschedule', ...wish }), {
    validator: (wish) => validate({ kind: 'reschedule', ...wish }),
  });
  setHandler(completeBooking, (wish) => accept({ kind: 'complete', ...wish }), {
    validator: (wish) => validate({ kind: 'complete', ...wish }),
  });

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

function cancelWish({ by, noteId, requestedAt }: { by: Party; noteId: string | null; requestedAt: string }) {
  return { kind: 'cancel', by, noteId, requestedAt } as const;
}
