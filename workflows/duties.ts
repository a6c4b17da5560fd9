import {
  type ActivityInterfaceFor,
  CancellationScope,
  condition,
  isCancellation,
  type LocalActivityInterfaceFor,
  log,
  patched,
  proxyActivities,
  proxyLocalActivities,
  setHandler,
  sleep,
  type UntypedActivities,
} from '@temporalio/workflow';
import { OPERATOR_ACTIONS, type OperatorAction, type Settlement } from '../kernel/saga-type';
import { HOUR, MINUTE, SECOND } from '../kernel/time';
import { LOCAL_CALL, UNTIL_DONE_DAYLONG, UNTIL_DONE_SOON } from './activity-options';
import { codeOf, isRefusal, refuse } from './failures';
import { type Resolution, resolve } from './saga.api';

/** What has not succeeded by then asks for an operator, and is still retried. */
const ATTENTION_MS = HOUR;
/** Sagas that were begun before retried in rounds of an hour, what was refused too, with these pauses between. */
const ROUNDS_OF_A_DAY = 'rounds-of-a-day';
const BEFORE = { attentionMs: HOUR - 5 * MINUTE, firstPauseMs: SECOND, longestPauseMs: 15 * MINUTE };

/** The activities of a saga, in whichever way they are run. */
export type Calls<Activities> = ActivityInterfaceFor<Activities> | LocalActivityInterfaceFor<Activities>;

/** How something that must happen is pursued. */
export interface Pursuit<Activities> {
  /** Whether it is tried as a local activity first, asked when it begins: for what is not money and harmless twice. */
  local?(): boolean;
  /** It is about money: an operator who accepts that it will not happen says what became of the money. */
  money?: boolean;
  /** What is to be done once an operator has settled the money by hand; pursued like everything that must happen. */
  settled?(act: Calls<Activities>, as: Settlement): Promise<unknown>;
}

/** What must happen in a saga, until it has or an operator has said otherwise. */
export interface Duties<Activities> {
  /** @returns what `run` returned; undefined when an operator accepted that it will not happen, or it was dropped */
  untilDone<T>(
    name: string,
    run: (act: Calls<Activities>) => Promise<T>,
    how: Pursuit<Activities>,
  ): Promise<T | undefined>;
  /** Asks an operator for a decision that no retry can bring. With `settled`, as in `Pursuit`, it is about money. */
  askOperator(name: string, sentence: string, settled?: Pursuit<Activities>['settled']): Promise<OperatorAction>;
  /** Gives up what is under way by these names: something else has made it pointless. */
  drop(isPointless: (name: string) => boolean): void;
  /** Whether anything is under way. */
  any(): boolean;
  /** How often an operator has answered. */
  answers(): number;
  /** What needs an operator, a line each; empty when nothing does. */
  troubles(): string[];
}

/** Something that must get done, with the attempt that is running. */
interface Duty {
  name: string;
  money: boolean;
  attempt?: CancellationScope;
  lastError: string;
  needsAttention: boolean;
  answer: OperatorAction | 'dropped' | undefined;
}

/**
 * Pursues what must happen and keeps the operator's door of one workflow run: it answers the `resolve` update. `changed` is called when
 * something has begun or ceased to need an operator.
 */
export function createDuties<Activities = UntypedActivities>(changed: () => void): Duties<Activities> {
  const rounds = {
    local: proxyLocalActivities<Activities>(LOCAL_CALL),
    soon: proxyActivities<Activities>(UNTIL_DONE_SOON),
    daylong: proxyActivities<Activities>(UNTIL_DONE_DAYLONG),
  };
  const duties = new Set<Duty>();
  let answers = 0;

  const stuck = () => [...duties].filter((duty) => duty.needsAttention);

  setHandler(
    resolve,
    async ({ step, action }) => {
      answers += 1;
      for (const duty of stuck()) if (step === undefined || step === duty.name) answer(duty, action);
    },
    {
      validator: (asked) => validate(asked, stuck()),
      description: 'Operator: {"step": "undo create", "action": "retry" | "accept" | "paid_elsewhere" | "waived"}',
    },
  );

  async function untilDone<T>(
    name: string,
    run: (act: Calls<Activities>) => Promise<T>,
    how: Pursuit<Activities>,
  ): Promise<T | undefined> {
    const since = Date.now();
    const duty: Duty = { name, money: how.money ?? false, lastError: '', needsAttention: false, answer: undefined };
    let calling: CancellationScope | undefined;
    duties.add(duty);
    try {
      let round: keyof typeof rounds = how.local?.() ? 'local' : 'soon';
      for (let pause = BEFORE.firstPauseMs; ; pause = Math.min(pause * 2, BEFORE.longestPauseMs)) {
        duty.attempt = new CancellationScope();
        duty.answer = undefined;
        try {
          return await duty.attempt.run(() => run(rounds[round]));
        } catch (error) {
          const elapsed = Date.now() - since;
          if (!isCancellation(error)) duty.lastError = codeOf(error);
          if (patched(ROUNDS_OF_A_DAY)) {
            round = 'daylong';
            duty.needsAttention ||= isRefusal(error) || elapsed >= ATTENTION_MS;
            if (!duty.needsAttention) calling ??= callOperator(duty, ATTENTION_MS - elapsed);
            note(duty);
            // Asked again, a service would refuse again.
            if (isRefusal(error)) await condition(() => duty.answer !== undefined);
          } else {
            duty.needsAttention ||= isRefusal(error) || elapsed >= BEFORE.attentionMs;
            note(duty);
            if (duty.answer === undefined) await condition(() => duty.answer !== undefined, pause);
          }
        }
        const said = answerOf(duty);
        if (said === undefined || said === 'retry') continue;
        await settleByHand(name, said, how.settled);
        return undefined;
      }
    } finally {
      calling?.cancel();
      duties.delete(duty);
      changed();
    }
  }

  async function settleByHand(
    name: string,
    said: NonNullable<Duty['answer']>,
    settled: Pursuit<Activities>['settled'],
  ): Promise<void> {
    if (settled && (said === 'paid_elsewhere' || said === 'waived'))
      await untilDone(`settle ${name} by hand`, (act) => settled(act, said), {});
  }

  /** One timer beside all rounds: they may last for days without a word. */
  function callOperator(duty: Duty, inMs: number): CancellationScope {
    const scope = new CancellationScope();
    scope
      .run(() => sleep(inMs))
      .then(
        () => {
          duty.needsAttention = true;
          note(duty);
        },
        () => undefined, // it is done
      );
    return scope;
  }

  function note(duty: Duty): void {
    const { name, lastError, needsAttention } = duty;
    log.warn('not done yet', { step: name, code: lastError, needsAttention });
    changed();
  }

  return {
    untilDone,
    async askOperator(name, sentence, settled) {
      const money = settled !== undefined;
      const duty: Duty = { name, money, lastError: sentence, needsAttention: true, answer: undefined };
      duties.add(duty);
      changed();
      await condition(() => duty.answer !== undefined);
      duties.delete(duty);
      changed();
      const said = answerOf(duty);
      if (said === undefined || said === 'dropped') return 'retry';
      await settleByHand(name, said, settled);
      return said;
    },
    drop(isPointless) {
      for (const duty of duties) if (isPointless(duty.name)) answer(duty, 'dropped');
    },
    any: () => duties.size > 0,
    answers: () => answers,
    troubles: () => stuck().map(({ name, lastError }) => `- **${name}** is not done: ${lastError}.`),
  };
}

function answer(duty: Duty, said: Duty['answer']): void {
  duty.answer = said;
  duty.attempt?.cancel();
}

/** A function so that the compiler forgets what it concluded before the wait. */
function answerOf(duty: Duty): Duty['answer'] {
  return duty.answer;
}

/** @throws ApplicationFailure invalid_state when nothing is stuck; validation_failed with what would be right */
function validate(asked: unknown, stuck: Duty[]): asserts asked is Resolution {
  const { step, action } =
    typeof asked === 'object' && asked !== null ? { step: undefined, action: undefined, ...asked } : {};
  const wrong = (detail: string) => refuse('validation_failed', detail);
  if (!OPERATOR_ACTIONS.some((known) => known === action))
    throw wrong(`action is one of ${OPERATOR_ACTIONS.join(', ')}`);
  if (stuck.length === 0) throw refuse('invalid_state', 'Nothing of this saga needs attention');
  const names = stuck.map(({ name }) => name).join(', ');
  const meant = step === undefined ? stuck : stuck.filter(({ name }) => name === step);
  if (step === undefined && stuck.length > 1) throw wrong(`step is needed, because more than one is stuck: ${names}`);
  const [duty] = meant;
  if (!duty) throw wrong(`step is one of what is stuck: ${names}`);
  if (duty.money && action === 'accept') throw wrong(`${duty.name} is about money: say paid_elsewhere or waived`);
  if (!duty.money && (action === 'paid_elsewhere' || action === 'waived'))
    throw wrong(`${duty.name} is not about money: say accept`);
}
