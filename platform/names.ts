import { text, visiblePattern } from './schemas';

// What people are called. A name travels in mails to people who never asked for one, so it must be of no use to whoever makes it up for
// them. Names from before are read as they are.

/** As long as a name can be that others see: a first and a last name, or what a tutor calls themselves. */
const MAX_NAME = 250;

/**
 * What a mail program makes a link of: an address with its scheme, or something with a dot in it that could be a domain, as a mail
 * address has too. A dot after one letter is of an initial (`J.R. Tolkien`, `M.Sc.`), unless a path follows.
 */
const DOT = String.raw`[.\u3002\uff0e\uff61]`;
const LINK = new RegExp(
  [
    String.raw`\/\/`,
    String.raw`\p{L}:\S`,
    String.raw`\S@\S`,
    String.raw`[\p{L}\p{M}\p{N}_-]{2}${DOT}\p{L}\p{M}*\p{L}`,
    String.raw`[\p{L}\p{N}]${DOT}\p{L}\p{M}*\p{L}[\p{L}\p{M}]*[\/?#]`,
    String.raw`\d\.\d{1,3}\.\d{1,3}\.\d`,
  ].join('|'),
  'u',
);
const holdsNoLink = (name: string) => !LINK.test(name);
const LINE_BREAKS = String.raw`\n\r\u2028\u2029`;
const LINE_BREAK = new RegExp(`[${LINE_BREAKS}]`);
const isOnOneLine = (name: string) => !LINE_BREAK.test(name);

/** The name of a person as another context tells it. */
export const KnownName = text(1, MAX_NAME);

/** A name that somebody gives themselves: on one line, runs of spaces as one, and no link in it. */
function ownName(max: number) {
  return text(1, max)
    .refine(isOnOneLine, 'must be on one line')
    .refine(holdsNoLink, 'must not hold a link; after a full stop belongs a space')
    .overwrite((name) => name.replaceAll(/\s+/g, ' '))
    .meta({ pattern: `^(?!.*(?:${LINK.source}))${visiblePattern(1, LINE_BREAKS).slice(1)}` });
}

/** A first or a last name. The two together stay below what a display name may have. */
export const PersonName = ownName(80);

/** What a tutor is called in the search and in mails. */
export const DisplayName = ownName(MAX_NAME);
