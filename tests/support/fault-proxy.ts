import { Agent, createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { ERROR_CODES, type ErrorCode } from '../../kernel/errors';

/** What happens to a call instead of being answered as usual. */
export type CallFault =
  /** The service says no: it never hears of the call. */
  | { kind: 'refuse'; code: ErrorCode }
  /** The service takes the call, and the connection is closed instead of its answer: a time-out after the effect. */
  | { kind: 'lose-answer' }
  /** 500, without an effect. */
  | { kind: 'fail' }
  /** Kept from the service until released. */
  | { kind: 'hold' }
  /** The service takes the call, and its answer is kept back until released. */
  | { kind: 'hold-answer' };

/** The calls that a fault hits. */
export interface Meeting {
  /** Resolves when the fault has hit for the nth time; a held call is inside the step then. */
  met(times?: number): Promise<void>;
  /** Ends the fault: every call goes on that is held, also those whose caller has given up, and those that come pass. */
  release(): void;
  /** The statuses that the service has answered to the calls that were held, once it has after the release. */
  answers(): Promise<number[]>;
}

const KINDS = [
  'account-mail',
  'booking',
  'debt',
  'dispute',
  'email-change',
  'payment',
  'payout',
  'refund',
  'payment',
  'payout',
  'refund',
  'suspension',
  'tutor-account',
  'user',
] as const;
/** What a workflow id begins with. */
export type SagaKind = (typeof KINDS)[number];

/** Faults of one saga's steps. */
export interface SagaFaults {
  /** The id of what the saga is about, once the proxy has seen it. */
  id(): Promise<string>;
  /**
   * Hits the next `times` calls of the step; one that ends with `/` stands for all that begin so, and `-n` in it for any number, as moves
   * are counted. Several faults of one step are used up one after another.
   */
  on(step: string, fault: CallFault, times?: number): Meeting;
}

/**
 * An HTTP proxy before the services, for the calls of workers. Calls of a step are known by their idempotency key, `<workflowId>/<step>`;
 * everything without a fault passes.
 */
export interface FaultProxy {
  /** Where the service of this name is reached through the proxy. */
  urls: Record<string, string>;
  /** Faults for the next saga of this kind that calls for the first time. */
  next(kind: SagaKind): SagaFaults;
  of(kind: SagaKind, id: string): SagaFaults;
  /** The steps that sagas of this kind were seen to call or to undo, each by the first part of its key. */
  seen(kind: SagaKind): string[];
  close(): Promise<void>;
}

interface Rule {
  step: string;
  fault: CallFault;
  left: number;
  hits: number;
  heard: (() => void)[];
  released: Promise<void>;
  isOver: boolean;
  /** The answers to the calls that were held. */
  answers: Promise<Buffered>[];
}

interface Story {
  rules: Rule[];
  id: Promise<string>;
  bind(id: string): void;
}

/** What booking is shown of a payment (`payment:<id>/shown/<version>`) is no step of the payment's own saga. */
const STEP_KEY = /^([\w-]+):([0-9a-f-]{36})\/(?!shown\/)(.+)$/;
/** A number that a step's name is counted with. */
const NUMBER = /-\d+(?=\/|$)/g;
/** Calls without a key: they change nothing, or nothing twice. Those of debts go by their payee: the key of one names the currency too. */
const KEYLESS: [kind: SagaKind, path: RegExp][] = [
  ['booking', /^\/internal\/bookings\/([0-9a-f-]{36})\/(begin|admit-move)$/],
  ['debt', /^\/internal\/payees\/([0-9a-f-]{36})\/debts\/[A-Z]{3}\/(look|settle)$/],
  ['dispute', /^\/internal\/disputes\/([0-9a-f-]{36})\/(look)$/],
  ['email-change', /^\/internal\/email-changes\/([0-9a-f-]{36})\/(look)$/],
  ['payment', /^\/internal\/payments\/([0-9a-f-]{36})\/(refresh)$/],
  ['payout', /^\/internal\/payouts\/([0-9a-f-]{36})\/(check|refresh)$/],
  ['refund', /^\/internal\/refunds\/([0-9a-f-]{36})\/(refresh)$/],
];

/** @param upstreams base URL of each service by its name */
export async function startFaultProxy(upstreams: Record<string, string>): Promise<FaultProxy> {
  const stories = new Map<string, Story>();
  const expected: { kind: SagaKind; story: Story }[] = [];
  const seen: { kind: SagaKind; step: string }[] = [];
  const releases = new Set<() => void>();
  const agent = new Agent({ keepAlive: true });

  const storyOf = (kind: SagaKind, id: string): Story => {
    const known = stories.get(`${kind}:${id}`);
    if (known) return known;
    const next = expected.findIndex((each) => each.kind === kind);
    const [{ story } = { story: newStory() }] = next < 0 ? [] : expected.splice(next, 1);
    story.bind(id);
    stories.set(`${kind}:${id}`, story);
    return story;
  };

  const faultFor = (incoming: IncomingMessage): Rule | undefined => {
    const called = stepOf(incoming);
    if (!called) return undefined;
    const { kind, id, step } = called;
    seen.push({ kind, step: step.replace(/\/.*/, '') });
    const names = [step, step.replaceAll(NUMBER, '-n')];
    const isMeant = (rule: Rule) => (rule.step.endsWith('/') ? step.startsWith(rule.step) : names.includes(rule.step));
    const rule = storyOf(kind, id).rules.find((each) => isMeant(each) && each.left > 0 && !each.isOver);
    if (!rule) return undefined;
    rule.left -= 1;
    return rule;
  };

  const hit = (rule: Rule) => {
    rule.hits += 1;
    for (const listener of rule.heard.splice(0)) listener();
  };

  async function handle(upstream: string, incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
    const rule = faultFor(incoming);
    const body = await read(incoming);
    const forward = () => send(agent, upstream, incoming, body);
    if (!rule) return answer(outgoing, await forward());
    switch (rule.fault.kind) {
      case 'refuse':
      case 'fail': {
        // Whoever gave up before it was said has not heard it: the next one does.
        if (await isTold(outgoing, problem(rule.fault.kind === 'refuse' ? rule.fault.code : 'internal'))) hit(rule);
        else rule.left += 1;
        return;
      }
      case 'lose-answer':
        await forward();
        hit(rule);
        outgoing.destroy();
        return;
      case 'hold': {
        // Whoever gave up or died has sent it all the same.
        const reply = rule.released.then(forward);
        rule.answers.push(reply);
        hit(rule);
        return answer(outgoing, await reply);
      }
      case 'hold-answer': {
        const reply = await forward();
        rule.answers.push(Promise.resolve(reply));
        hit(rule);
        await rule.released;
        return answer(outgoing, reply);
      }
    }
  }

  const servers = await Promise.all(
    Object.entries(upstreams).map(async ([name, upstream]): Promise<[string, Server, string]> => {
      const server = createServer((incoming, outgoing) => {
        handle(upstream, incoming, outgoing).catch(() => outgoing.destroy());
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      return [name, server, `http://127.0.0.1:${(server.address() as AddressInfo).port}`];
    }),
  );

  const faultsOf = (story: Story): SagaFaults => ({
    id: () => story.id,
    on(step, fault, times = 1) {
      let letGo: () => void = () => undefined;
      const released = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      releases.add(letGo);
      const rule: Rule = { step, fault, left: times, hits: 0, heard: [], released, isOver: false, answers: [] };
      story.rules.push(rule);
      return {
        async met(wanted = 1) {
          while (rule.hits < wanted) await new Promise<void>((resolve) => rule.heard.push(resolve));
        },
        release() {
          rule.isOver = true;
          letGo();
        },
        async answers() {
          const answered = await Promise.allSettled(rule.answers);
          return answered.flatMap((each) => (each.status === 'fulfilled' ? [each.value.status] : []));
        },
      };
    },
  });

  return {
    urls: Object.fromEntries(servers.map(([name, , url]) => [name, url])),
    next(kind) {
      const story = newStory();
      expected.push({ kind, story });
      return faultsOf(story);
    },
    of: (kind, id) => faultsOf(storyOf(kind, id)),
    seen: (kind) => [...new Set(seen.filter((each) => each.kind === kind).map(({ step }) => step))].toSorted(),
    async close() {
      for (const release of releases) release();
      agent.destroy();
      await Promise.all(
        servers.map(([, server]) => {
          const closed = new Promise((resolve) => server.close(resolve));
          server.closeAllConnections();
          return closed;
        }),
      );
    },
  };
}

/** Whether an answer went out to somebody who still waited for it. */
function isTold(outgoing: ServerResponse, reply: Buffered): Promise<boolean> {
  if (outgoing.destroyed) return Promise.resolve(false);
  return new Promise((resolve) => {
    outgoing.once('finish', () => resolve(true));
    outgoing.once('close', () => resolve(outgoing.writableFinished));
    answer(outgoing, reply);
  });
}

/** Which step of which saga calls. */
function stepOf({ url = '', headers }: IncomingMessage): { kind: SagaKind; id: string; step: string } | undefined {
  const [, prefix, keyed, named] = STEP_KEY.exec(String(headers['idempotency-key'] ?? '')) ?? [];
  const owner = KINDS.find((kind) => kind === prefix);
  if (owner && keyed && named) return { kind: owner, id: keyed, step: named };
  for (const [kind, path] of KEYLESS) {
    const [, id, step] = path.exec(url) ?? [];
    if (id && step) return { kind, id, step };
  }
  return undefined;
}

function newStory(): Story {
  let bind: (id: string) => void = () => undefined;
  const id = new Promise<string>((resolve) => {
    bind = resolve;
  });
  return { rules: [], id, bind };
}

interface Buffered {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

async function read(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

function send(agent: Agent, upstream: string, incoming: IncomingMessage, body: Buffer): Promise<Buffered> {
  return new Promise((resolve, reject) => {
    const headers = { ...incoming.headers, host: new URL(upstream).host, connection: 'keep-alive' };
    const options = { agent, method: incoming.method ?? 'GET', headers };
    const sent = request(`${upstream}${incoming.url}`, options, (reply) => {
      read(reply).then(
        (bytes) => resolve({ status: reply.statusCode ?? 502, headers: reply.headers, body: bytes }),
        reject,
      );
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'transfer-encoding', 'content-length']);

function answer(outgoing: ServerResponse, { status, headers, body }: Buffered): void {
  if (outgoing.destroyed) return;
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined && !HOP_BY_HOP.has(name)) outgoing.setHeader(name, value);
  }
  outgoing.writeHead(status, body.length > 0 ? { 'content-length': body.length } : {}).end(body);
}

function problem(code: ErrorCode): Buffered {
  const { status, title } = ERROR_CODES[code];
  const body = Buffer.from(JSON.stringify({ type: `/docs/errors#${code}`, title, status, code, detail: title }));
  return { status, headers: { 'content-type': 'application/problem+json' }, body };
}
