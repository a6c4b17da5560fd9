import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { exportOf } from '../../platform/export-of';
import { filesBelow, textOf } from './repository';
import type { SagaStack } from './saga-stack';

// Which steps run as local activities: they hold their worker's slot and their saga's workflow task for as long as they take.

const workflows = filesBelow('workflows', (path) => path.endsWith('.ts') && !path.endsWith('.test.ts'));
const histories = filesBelow('workflows/histories', (path) => path.endsWith('.json'));

const payload = z.object({ data: z.string() });
const details = z.object({ data: z.object({ payloads: z.array(payload) }).optional() });
const marker = z.object({ markerName: z.string(), details });
const history = z.object({ events: z.array(z.object({ markerRecordedEventAttributes: marker.optional() })) });
// What the SDK's core writes into a local activity's marker.
const localActivity = z.object({ activity_type: z.string() });

/** The local activities of a stored history, also those that failed. */
function recordedAsLocal(json: string): string[] {
  return history.parse(JSON.parse(json)).events.flatMap(({ markerRecordedEventAttributes: recorded }) => {
    const [first] = recorded?.details.data?.payloads ?? [];
    if (recorded?.markerName !== 'core_local_activity' || !first) return [];
    return [localActivity.parse(JSON.parse(Buffer.from(first.data, 'base64').toString())).activity_type];
  });
}

/**
 * The activities that a file of workflow code calls as local ones.
 * @throws Error when it proxies them in a way that this does not see through
 */
export function calledLocally(text: string): string[] {
  const code = text
    .replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '')
    .replaceAll(/^import[\s\S]*?;/gm, '')
    // Words in a text are no code, but for what a template computes.
    .replaceAll(/`[^`]*`/g, (literal) =>
      [...literal.matchAll(/\$\{([^}]*)\}/g)].map(([, inner]) => `(${inner})`).join(),
    )
    .replaceAll(/'[^'\n]*'/g, "''");
  // `proxyLocalActivities<Mail>(LOCAL_CALL).notifyBooking`, and the rounds of what must happen, whose first may be local.
  const direct = [...code.matchAll(/proxyLocalActivities<\w+>\(\w+\)\.(\w+)/g)].map(([, activity = '']) => activity);
  const rounds = code.match(/\blocal: proxyLocalActivities<Activities>\(\w+\),/g) ?? [];
  const proxies = [...code.matchAll(/const (\w+) = proxyLocalActivities<\w+>\(\w+\);/g)].map(([, name = '']) => name);
  if (code.split('proxyLocalActivities').length - 1 !== proxies.length + direct.length + rounds.length)
    throw new Error('proxyLocalActivities stands somewhere where nobody sees which activities are called by it');
  const named = proxies.flatMap((name) => {
    const uses = [...code.matchAll(new RegExp(`(?<![\\w.])(?<!const )${name}\\b(?!:)(?:\\.(\\w+))?`, 'g'))];
    return uses.map(([use, activity]) => {
      if (!activity) throw new Error(`\`${use}\` is handed on: whoever gets it may call any activity as a local one`);
      return activity;
    });
  });
  return [...direct, ...named, ...pursuedLocally(code)];
}

/** What a saga pursues, beginning with a local attempt: `saga.forward('record', (act, key) => act.recordRefund(…), { local: true })`. */
function pursuedLocally(code: string): string[] {
  return [...code.matchAll(/\blocal: !?(?!proxyLocalActivities\b|false\b)\w+/g)].flatMap(({ index }) => {
    const calls = [...callAround(code, index).matchAll(/\bact\.(\w+)\(/g)].map(([, activity = '']) => activity);
    if (calls.length === 0) throw new Error(`nobody sees what is pursued at \`${code.slice(index, index + 40)}\``);
    return calls;
  });
}

/** The arguments of the innermost call that holds what stands at `index`. */
function callAround(code: string, index: number): string {
  let start = index;
  for (let open = 0; open < 1 && start > 0; ) {
    start -= 1;
    open += code[start] === '(' ? 1 : code[start] === ')' ? -1 : 0;
  }
  let end = start;
  for (let open = 0; end < code.length; end++) {
    open += code[end] === '(' ? 1 : code[end] === ')' ? -1 : 0;
    if (open === 0) break;
  }
  return code.slice(start, end);
}

/** Every activity that the code of today calls as a local one, or a recorded history has as one. */
export function localSteps(): string[] {
  const today = workflows.flatMap((path) => calledLocally(textOf(path)));
  const recorded = histories.flatMap((path) => recordedAsLocal(textOf(path)));
  return [...new Set([...today, ...recorded])].toSorted();
}

/** Plays the steps of sagas on services that run; `noted` makes activities of which is seen what came of them. */
export type StepPlay = (
  stack: SagaStack,
  noted: <Activities extends object>(activities: Activities) => Activities,
) => Promise<void>;

/** What the files of `step-plays` play, each as `play`. */
export function stepPlays(): StepPlay[] {
  const folder = join(__dirname, 'step-plays');
  return readdirSync(folder).map((file): StepPlay => exportOf(join(folder, file), 'play'));
}
