import Table from 'cli-table3';
import pc from 'picocolors';
import type { Client } from './client';
import type { Findings } from './examine';
import { grouped } from './grouped';
import type { Operator } from './operator';
import type { Records } from './records';
import type { Storm } from './storm';

/** One line that is written over and over where there is a terminal, and now and then where there is none. */
export interface LiveLine {
  show(text: string): void;
  /** A line that stays. */
  say(text: string): void;
  end(): void;
}

const SAY_EVERY_MS = 10_000;

export function createLiveLine(out: NodeJS.WriteStream): LiveLine {
  let last = Number.NEGATIVE_INFINITY;
  const clear = () => out.isTTY && out.write('\r\u001b[K');
  return {
    show(text) {
      if (out.isTTY) {
        clear();
        out.write(text.slice(0, out.columns - 1));
      } else if (performance.now() - last > SAY_EVERY_MS) {
        last = performance.now();
        out.write(`${text}\n`);
      }
    },
    say(text) {
      clear();
      out.write(`${text}\n`);
    },
    end: () => void clear(),
  };
}

const seconds = (ms: number) => `${Math.round(ms / 1_000)} s`;

/** Every kill in order, with its second; in brackets what was down already. */
export function killList({ kills }: Pick<Storm, 'kills'>): string {
  const all = kills.map(({ atMs, name, wasUp }) => `${Math.round(atMs / 1_000)} ${wasUp ? name : `(${name})`}`);
  return `Killed (second and process; in brackets: it was down just then):\n${wrapped(all)}`;
}

/** Every process that hung and every part that was silent, in order, with its second and for how many seconds. */
export function silenceList({ freezes, outages }: Pick<Storm, 'freezes' | 'outages'>): string {
  const long = (ms: number) => (ms === 0 ? '' : ` for ${(ms / 1_000).toFixed(1)}`);
  const all = [
    ...freezes.map(({ name, ...rest }) => ({ what: name, ...rest })),
    ...outages.map(({ kind, ...rest }) => ({ what: kind, ...rest })),
  ]
    .toSorted((one, other) => one.atMs - other.atMs)
    .map(({ atMs, what, ms }) => `${Math.round(atMs / 1_000)} ${what}${long(ms)}`);
  return `Silent (second, what hung, for how many seconds; without these: it was down just then):\n${wrapped(all)}`;
}

function wrapped(words: string[], width = 118): string {
  const lines: string[] = [];
  for (const word of words) {
    const line = lines.at(-1);
    if (line !== undefined && line.length + word.length + 2 <= width) lines[lines.length - 1] = `${line}, ${word}`;
    else lines.push(`  ${word}`);
  }
  return lines.join('\n');
}

export interface Run {
  seed: number;
  records: Records;
  client: Client;
  storm: Pick<Storm, 'kills' | 'faults' | 'freezes' | 'outages' | 'cuts'>;
  operator: Pick<Operator, 'answers'>;
  findings: Findings;
  stormMs: number;
  tookMs: number;
}

/** What was played, what went wrong on the way, and what came of it. */
export function summary({ seed, records, client, storm, operator, findings, stormMs, tookMs }: Run): string {
  const table = new Table({ style: { head: [], border: [] }, wordWrap: true, colWidths: [22, 94] });
  const asked = (replies: ({ status: number; code: string | undefined } | undefined)[]) =>
    inWords(
      tally(replies.map((reply) => (reply ? `${reply.status}${reply.code ? ` ${reply.code}` : ''}` : 'unanswered'))),
    );
  const { bookings, payments, earners, disputes, signUps, accounts } = records;
  const optional = <T>(values: (T | undefined)[]) => values.filter((value) => value !== undefined);
  const byTutor = bookings.flatMap(({ refunds }) => refunds.filter(({ by }) => by === 'tutor'));
  const made = bookings.flatMap(({ refunds }) => refunds.flatMap((one) => one.made ?? []));
  const rows: [string, string][] = [
    ['seed', String(seed)],
    ['time', `${seconds(tookMs)} in all, ${seconds(stormMs)} of them in the storm`],
    ['kills', `${storm.kills.length}: ${inWords(tally(storm.kills.map(({ name }) => name)))}`],
    ['faults at Stripe', `${storm.faults.length}: ${inWords(tally(storm.faults.map(({ kind }) => kind)))}`],
    ['hung for a while', `${storm.freezes.length}: ${inWords(tally(storm.freezes.map(({ name }) => name)))}`],
    ['outages', `${storm.outages.length}: ${inWords(tally(storm.outages.map(({ kind }) => kind)))}`],
    ['connections ended', connectionsEnded(storm)],
    ['clients asked again', inWords(client.retries)],
    ['clients gave up', inWords(client.givenUp)],
    ['operator answered', inWords(tally(operator.answers.map(({ step, action }) => `${step}: ${action}`)))],
    ['bookings', `${bookings.length}: ${asked(bookings.map((booking) => booking.asked))}`],
    ['  confirmed by tutor', asked(optional(bookings.map(({ confirm }) => confirm)))],
    ['  declined by tutor', asked(optional(bookings.map(({ decline }) => decline)))],
    ['  cancelled', asked(bookings.flatMap(({ cancels }) => cancels.map(({ reply }) => reply)))],
    ['  moved', asked(bookings.flatMap(({ moves }) => moves.map(({ reply }) => reply)))],
    ['  partly given back', asked(byTutor.map(({ reply }) => reply))],
    ['  in the dashboard', inWords(tally(made.map((amount) => (amount > 0 ? 'made' : 'refused'))))],
    ['  time has passed', String(bookings.filter(({ aged }) => aged).length)],
    ['  lapsed at Stripe', String(bookings.filter(({ lapsed }) => lapsed).length)],
    ['  ended', inWords(findings.ends)],
    ['direct payments', `${payments.length}: ${asked(payments.map((payment) => payment.asked))}`],
    ['  refunds', asked(payments.flatMap(({ refunds }) => refunds.map(({ reply }) => reply)))],
    ['payouts', `${sumOf(findings.payouts)}: ${inWords(findings.payouts)}`],
    ['  asked for', asked(earners.flatMap(({ asks }) => asks.map(({ reply }) => reply)))],
    ['disputes', `${sumOf(findings.disputes)}: ${inWords(findings.disputes)}`],
    ['  payees say', asked(optional(disputes.map(({ stated }) => stated)))],
    ['  sent to the bank', asked(optional(disputes.map(({ submitted }) => submitted)))],
    ['  given up', asked(optional(disputes.map(({ accepted }) => accepted)))],
    ['sign-ups on the way', String(signUps.length)],
    ['accounts', `${accounts.length}`],
    ['  kept out for a while', String(accounts.reduce((sum, { suspended }) => sum + suspended, 0))],
    ['  another password', String(accounts.filter(({ hasAnotherPassword }) => hasAnotherPassword).length)],
    ['sagas', String(findings.workflows)],
    ['mails', `${findings.mails}; twice by the known limit (docs/decisions/0032): ${findings.mailsTwice.length}`],
    ['violations', String(findings.violations.length)],
  ];
  table.push(...rows);
  return String(table);
}

function connectionsEnded({ cuts }: Pick<Storm, 'cuts'>): string {
  const ended = cuts.reduce((sum, cut) => sum + cut.ended, 0);
  return `${ended}, by ${inWords(tally(cuts.map(({ by }) => by)))}`;
}

function tally(words: string[]): Map<string, number> {
  return new Map([...grouped(words, (word) => word)].map(([word, all]) => [word, all.length]));
}

function inWords(counts: Map<string, number>): string {
  const sorted = [...counts].sort(([, one], [, other]) => other - one);
  return sorted.map(([word, count]) => `${count} × ${word}`).join(', ') || 'none';
}

const sumOf = (counts: Map<string, number>) => [...counts.values()].reduce((sum, count) => sum + count, 0);

/** The last word. */
export function verdictLine(violations: string[]): string {
  if (violations.length === 0) return pc.green('Nothing was lost, doubled or left half-done.');
  return [
    pc.red(`${violations.length} ${violations.length === 1 ? 'violation' : 'violations'}:`),
    ...violations.map((violation) => pc.red(`- ${violation}`)),
  ].join('\n');
}
