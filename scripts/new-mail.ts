import { RecordNotification } from '../services/notification/contract';
import { argumentsOf, change, command, inserted, run, UsageError } from './generate';

// Makes a mail that can be sent: see services/README.md. Compiled: dist/scripts/new-mail.js.

const USAGE = `npm run new-mail -- <name> --about <facts> --subject <words> --text <words> [--heading <words>] [--action <words>] [--kind <kind>]

Enters a mail in services/notification: its facts in contract.ts, its words in templates/messages.ts, its kind in rules.ts.
  <name>     words of a-z joined by _, to whom at the end where parties are told apart: booking_noted_tutor
  --about    booking   a session: {{topic}} {{other}} {{when}} {{day}} {{price}}; the name begins with booking_
             payment   a payment: {{amount}} {{other}}; the name begins with payment_
             page      whatever a page of the platform shows, to which the button leads: no facts
  --subject  the mail's subject, in which facts may stand: "{{other}} has noted {{topic}}"
  --text     whole sentences: the first paragraph, the preview and the message of the list in the app
  --heading  the subject by default
  --action   the words of the button
  --kind     account or payment; neither can be switched off or takes the place of another mail`;

const KINDS = ['account', 'payment'] as const;

/** What a mail can be about. */
interface Subject {
  /** Of the contract. */
  facts: string;
  /** What its words may say, as templates/facts.ts makes it. */
  says: readonly string[];
  action: string;
  kind: (typeof KINDS)[number];
}

const SUBJECTS: Readonly<Record<string, Subject>> = {
  booking: {
    facts: 'BookingData',
    says: ['topic', 'other', 'when', 'day', 'price'],
    action: 'View booking',
    kind: 'account',
  },
  payment: { facts: 'PaymentData', says: ['amount', 'other'], action: 'View payment', kind: 'payment' },
  page: { facts: 'z.strictObject({ pageUrl: PlatformUrl })', says: [], action: 'Have a look', kind: 'account' },
};

interface NewMail {
  name: string;
  facts: string;
  kind: string;
  words: { subject: string; heading: string; lead: string; more: string[]; action: string };
}

/** @throws UsageError saying what to write instead */
function newMailOf(args: string[]): NewMail {
  const { name, given } = argumentsOf(args, USAGE, ['about', 'subject', 'text', 'heading', 'action', 'kind']);
  if (!/^[a-z]{2,20}(_[a-z]{2,20}){1,4}$/.test(name))
    throw new UsageError(`A mail is named by words of a-z that are joined by _, not ${name}`);
  const names = RecordNotification.options.map((option) => option.shape.template.value);
  if (names.some((template) => template === name)) throw new UsageError(`There is a mail ${name} already`);
  const about = given('about') ?? '';
  const subjectOf = Object.hasOwn(SUBJECTS, about) ? SUBJECTS[about] : undefined;
  if (!subjectOf) throw new UsageError(`Say what it is about: --about ${Object.keys(SUBJECTS).join(', ')}`);
  const owner = ['booking', 'payment', 'refund'].find((word) => name.startsWith(`${word}_`)) ?? 'page';
  if (owner !== about) throw new UsageError(`A mail about a ${about} is not named ${name}: see --help`);
  const kind = given('kind') ?? subjectOf.kind;
  if (!KINDS.some((known) => known === kind))
    throw new UsageError(
      `--kind is ${KINDS.join(' or ')}: other kinds take the place of mails, which you say in rules.ts by hand`,
    );
  const words = (option: 'subject' | 'text' | 'heading' | 'action', otherwise?: string) =>
    checked(option, given(option) ?? otherwise, subjectOf.says);
  const subject = words('subject');
  const lead = words('text');
  if (subject.length <= 10) throw new UsageError('--subject has more than ten characters');
  if (!/^(\p{Lu}|\{\{)/u.test(lead) || !/[.!?]$/.test(lead))
    throw new UsageError('--text is whole sentences, with a capital and a full stop');
  if (about === 'booking' && !/\{\{(topic|other)\}\}/.test(subject))
    throw new UsageError('--subject of a mail about a booking says which: {{topic}} or {{other}}');
  const heading = words('heading', subject);
  // Where a name stands at the beginning, people whose address nobody has confirmed read "a student".
  const low = Object.entries({ subject, heading }).find(([, line]) => !/^(\p{Lu}|\{\{amount\}\})/u.test(line));
  if (low) throw new UsageError(`--${low[0]} begins with a capital, not with a name`);
  const action = words('action', subjectOf.action);
  return { name, facts: subjectOf.facts, kind, words: { subject, heading, lead, more: [], action } };
}

/** @throws UsageError when it is missing or says what a mail cannot */
function checked(option: string, text: string | undefined, says: readonly string[]): string {
  if (text === undefined || text.trim() === '') throw new UsageError(`Say the words of the mail: --${option}`);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  if (/[\u0000-\u001f]/.test(text) || text !== text.trim() || / {2}/.test(text))
    throw new UsageError(`--${option} is one line without more spaces than its words need`);
  const unknown = [...text.matchAll(/\{\{(.*?)\}\}/g)]
    .map(([, fact = '']) => fact)
    .find((fact) => !says.includes(fact));
  if (unknown !== undefined || /[{}]/.test(text.replaceAll(/\{\{\w+\}\}/g, '')))
    throw new UsageError(
      `--${option} says what is no fact of such a mail${says.length > 0 ? `: ${says.join(', ')} are` : ', which has none'}`,
    );
  return text;
}

const ROOM = 'services/notification';

async function main(args: string[]): Promise<void> {
  const { name, facts, kind, words } = newMailOf(args);
  change(`${ROOM}/contract.ts`, (text) =>
    inserted(text, `  message('${name}', ${facts}),\n`, ']);', text.indexOf('export const RecordNotification')),
  );
  change(`${ROOM}/rules.ts`, (text) =>
    inserted(text, `  ${name}: '${kind}',\n`, '};', text.indexOf('export const KIND_OF')),
  );
  change(`${ROOM}/templates/messages.ts`, (text) =>
    inserted(text, `\n  ${name}: ${JSON.stringify(words)},`, '\n};', text.indexOf('export const MESSAGES')),
  );
  const changed = ['contract.ts', 'rules.ts', 'templates/messages.ts'].map((file) => `${ROOM}/${file}`);
  await run('npx', ['biome', 'check', '--write', ...changed]);
  console.log(`entered  in ${changed.join(', ')}

Test it:     npx jest ${ROOM}/templates ${ROOM}/rules
Still yours: who gets it when: an activity that records it, such as
  await notices.record({ template: '${name}', recipientId, usefulUntil: null, data }, key);
More paragraphs go into more of its words; a line in CHANGELOG.md.`);
}

command(USAGE, main);
