import Handlebars from 'handlebars';
import type { Recipient, RecordNotification, TemplateName } from '../contract';
import { KIND_OF } from '../rules';
import { actionUrl, type Detail, detailsOf, type Facts, factsOf, unquoted } from './facts';
import { singleLine } from './format';
import { HTML_LAYOUT, HTML_MESSAGE, TEXT_MESSAGE } from './layout';
import { MESSAGES } from './messages';

/** A message in the recipient's words: what is mailed, and the two lines that the in-app list keeps. */
export interface Rendered {
  /** The recipient's name, for the mail's header; empty where the address may be somebody else's. */
  name: string;
  subject: string;
  html: string;
  text: string;
  /** The in-app title and sentence; neither holds a link or a token. */
  title: string;
  message: string;
}

interface View {
  subject: string;
  preheader: string;
  heading: string;
  name: string;
  paragraphs: string[];
  details: Detail[];
  action: { label: string; url: string };
  footer: string;
}

type Compiled = { [Part in 'subject' | 'heading' | 'lead' | 'action']: HandlebarsTemplateDelegate<Facts> } & {
  more: HandlebarsTemplateDelegate<Facts>[];
};

const REASON = 'You receive this message because you have an account with TutorConnect.';
const CHOICE = ' You can switch off messages of this kind in your notification settings.';

// An environment of its own, so that nobody else's helpers or partials are seen. `strict`: a fact that is missing throws.
const handlebars = Handlebars.create();
handlebars.registerPartial('layout', HTML_LAYOUT);
const htmlOf = handlebars.compile<View>(HTML_MESSAGE, { strict: true });
const textOf = handlebars.compile<View>(TEXT_MESSAGE, { strict: true, noEscape: true });
const compiled = new Map<TemplateName, Compiled>();

/** A message for whom it is. */
interface Told {
  message: RecordNotification;
  recipient: Recipient;
  publicUrl: string;
}

/**
 * Renders `message` for `recipient`; pages that the button leads to start with `publicUrl` (no slash at its end). The mail quotes nobody
 * while its address may be somebody else's; the in-app list is read by the recipient alone.
 */
export function render(message: RecordNotification, recipient: Recipient, publicUrl: string): Rendered {
  const told = { message, recipient, publicUrl };
  const words = wordsOf(message.template);
  const facts = factsOf(message, recipient);
  const lead = words.lead(facts);
  const mail = quotesPeople(told)
    ? mailOf(told, facts, { name: singleLine(recipient.name), lead })
    : anonymousMailOf({ ...told, message: unquoted(message) });
  return { ...mail, title: singleLine(words.subject(facts)), message: lead };
}

/** The mail that asks whether an address is its owner's comes before any answer. */
function quotesPeople({ message: { template }, recipient: { emailVerified } }: Told): boolean {
  return emailVerified && template !== 'welcome_verify_email';
}

type Mail = Pick<Rendered, 'name' | 'subject' | 'html' | 'text'>;

function anonymousMailOf(told: Told): Mail {
  const facts = factsOf(told.message, told.recipient);
  const lead = wordsOf(told.message.template).lead(facts);
  // Where a name stood at the beginning stands "a student" now.
  return mailOf(told, facts, { name: '', lead: lead.charAt(0).toUpperCase() + lead.slice(1) });
}

function mailOf(
  { message, recipient, publicUrl }: Told,
  facts: Facts,
  { name, lead }: { name: string; lead: string },
): Mail {
  const words = wordsOf(message.template);
  const subject = singleLine(words.subject(facts));
  const kind = KIND_OF[message.template];
  const view: View = {
    subject,
    preheader: lead,
    heading: words.heading(facts),
    name,
    paragraphs: [lead, ...words.more.map((paragraph) => paragraph(facts))].filter((paragraph) => paragraph !== ''),
    details: detailsOf(message, recipient),
    action: { label: words.action(facts), url: actionUrl(message, recipient, publicUrl) },
    footer: kind === 'reminder' || kind === 'review_request' ? REASON + CHOICE : REASON,
  };
  return { name, subject, html: htmlOf(view), text: textOf(view) };
}

/** The compiled words of a template. They are plain text, so nothing is escaped here: the HTML layout does that, once. */
function wordsOf(template: TemplateName): Compiled {
  const known = compiled.get(template);
  if (known) return known;
  const words = MESSAGES[template];
  const compile = (source: string) => handlebars.compile<Facts>(source, { strict: true, noEscape: true });
  const fresh = {
    subject: compile(words.subject),
    heading: compile(words.heading),
    lead: compile(words.lead),
    action: compile(words.action),
    more: words.more.map(compile),
  };
  compiled.set(template, fresh);
  return fresh;
}
