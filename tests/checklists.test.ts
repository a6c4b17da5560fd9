import { DATABASE_CONTEXTS, SAGAS } from '../kernel/modules';
import { MESSAGES } from '../services/notification/templates/messages';
import { quotedIn } from './support/markdown-tables';
import { filesBelow, textOf } from './support/repository';

// services/README.md says what to touch for a new context, saga or mail. A file that names all there are is a list of them: it must be
// on the checklist, or be named below with the reason why it is none.

const readme = textOf('services/README.md');

/** The files that the checklist below `heading` names. */
function checklist(heading: string): Set<string> {
  const [, after = ''] = readme.split(`\n## ${heading}\n`);
  return new Set(quotedIn(after.split('\n## ')[0] ?? ''));
}

/** The project's files, without those that a new context, saga or mail gets of its own. */
const files = filesBelow(
  '.',
  (path) => /\.(ts|js|cjs|yml|md|example)$/.test(path) && !/histories|migrations|__snapshots__/.test(path),
);

/** The files that name each of `words`, as a word of its own. */
function filesThatName(words: readonly string[]): string[] {
  return files.filter((path) => {
    const text = textOf(path);
    return words.every((word) => new RegExp(`(?<![\\w-])${word}(?![\\w-])`).test(text));
  });
}

/** Prose, and what calls or tests all of them without being a list. */
const NO_LIST: Record<'contexts' | 'sagas' | 'mails', Record<string, string>> = {
  contexts: {
    'CHANGELOG.md': 'tells of what was added',
    'services/README.md': 'this page',
    'docs/sagas/user-creation.md': 'the sign-up saga calls almost all of them',
    'activities/booking.ts': 'the booking saga calls almost all of them',
    'kernel/facts.ts': 'says what contexts know of each other; a new one knows nothing yet',
    'docs/benchmarks.md': 'says by way of which some measurements go',
    'docs/sagas/sweep.md': 'the sweep asks each context that has something to see to',
    'activities/sweep.ts': 'as its page',
    'docs/runbooks/needs-attention.md': 'what operators are asked, and by which context it is mended',
    'activities/user-creation.ts': 'as its page',
    'activities/user-creation.test.ts': 'as its page',
    'services/gateway/rules.test.ts': 'examples of paths; what is not in it needs no example',
    'tests/rooms.test.ts': 'those that do not say yet what they know of a person',
    'tests/budgets.test.ts': 'what a booking costs in those that it calls',
    'tests/events-without-names.test.ts': 'those that had written events before these had schemas',
    'tests/one-schema.test.ts': 'what people say, and the contexts that it travels to',
    'tests/support/step-plays/booking.ts': 'the sagas of a booking call almost all of them',
  },
  sagas: {
    'CHANGELOG.md': 'tells of what was added',
    'services/README.md': 'this page',
    'tests/support/step-plays/booking.ts': 'the story of a booking goes through all of them',
    'workflows/replay.test.ts': 'fails until a new saga has histories',
    'tests/checklists.test.ts': 'this test',
  },
  mails: {},
};

function missing(heading: string, words: readonly string[], noList: Record<string, string>): string[] {
  const named = checklist(heading);
  return filesThatName(words).filter((path) => !named.has(path) && !(path in noList));
}

test('every list of contexts is on the checklist of a new one', () => {
  expect(missing('Add a context', DATABASE_CONTEXTS, NO_LIST.contexts)).toEqual([]);
});

test('every list of sagas is on the checklist of a new one', () => {
  expect(missing('Add a saga', SAGAS, NO_LIST.sagas)).toEqual([]);
});

test('every list of mails is on the checklist of a new one', () => {
  expect(missing('Add a mail', Object.keys(MESSAGES), NO_LIST.mails)).toEqual([]);
});

test('what a checklist names is a list still, and no reason outlives its file', () => {
  const contexts = filesThatName(DATABASE_CONTEXTS);
  for (const path of ['kernel/modules.ts', 'docker-compose.temporal.yml', 'README.md'])
    expect(contexts).toContain(path);
  const known = new Set(files);
  const gone = Object.values(NO_LIST).flatMap((reasons) => Object.keys(reasons).filter((path) => !known.has(path)));
  expect(gone).toEqual([]);
});
