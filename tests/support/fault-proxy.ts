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
  /** Lets every call go on that is held, and those that come. */
  release(): void;
}

/** Faults of one booking's steps. */
export interface BookingFaults {
  /** The booking's id, once the proxy has seen it. */
  id(): Promise<string>;
  /** Hits the next `times` calls of the step. Several faults of one step are used up one after another. */
  on(step: string, fault: CallFault, times?: number): Meeting;
}

/**
 * An HTTP proxy before the services, for the calls of a worker. Calls of a step are known by their idempotency key,
 * `booking:<id>/<step>`; everything without a fault passes.
 */
export interface FaultProxy {
  /** Where the service of this name is reached through the proxy. */
  urls: Record<string, string>;
  /** Faults for the next booking whose saga calls for the first time. */
  nextBooking(): BookingFaults;
  booking(id: string): BookingFaults;
  close(): Promise<void>;
}

interface Rule {
  step: string;
  fault: CallFault;
  left: number;
  hits: number;
  heard: (() => void)[];
  released: Promise<void>;
}

interface Story {
  rules: Rule[];
  id: Promise<string>;
  bind(id: string): void;
}

const STEP_KEY = /^booking:([0-9a-f-]{36})\/(.+)$/;
const FIRST_CALL = /^\/internal\/bookings\/([0-9a-f-]{36})\/begin$/;

/** @param upstreams base URL of each service by its name */
export async function startFaultProxy(upstreams: Record<string, string>): Promise<FaultProxy> {
  const stories = new Map<string, Story>();
  const expected: Story[] = [];
  const releases = new Set<() => void>();
  const agent = new Agent({ keepAlive: true });

  const storyOf = (id: string): Story => {
    const known = stories.get(id);
    if (known) return known;
    const story = expected.shift() ?? newStory();
    story.bind(id);
    stories.set(id, story);
    return story;
  };

  const faultFor = (incoming: IncomingMessage): Rule | undefined => {
    const first = FIRST_CALL.exec(incoming.url ?? '')?.[1];
    if (first) storyOf(first);
    const [, id, step] = STEP_KEY.exec(String(incoming.headers['idempotency-key'] ?? '')) ?? [];
    if (!id || !step) return undefined;
    const rule = storyOf(id).rules.find((candidate) => candidate.step === step && candidate.left > 0);
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
        hit(rule);
        return answer(outgoing, problem(rule.fault.code));
      case 'fail':
        hit(rule);
        return answer(outgoing, problem('internal'));
      case 'lose-answer':
        await forward();
        hit(rule);
        outgoing.destroy();
        return;
      case 'hold':
        hit(rule);
        await rule.released;
        // Whoever died while it waited has sent nothing.
        if (outgoing.closed || incoming.socket.destroyed) return;
        return answer(outgoing, await forward());
      case 'hold-answer': {
        const reply = await forward();
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

  const faultsOf = (story: Story): BookingFaults => ({
    id: () => story.id,
    on(step, fault, times = 1) {
      let release: () => void = () => undefined;
      const released = new Promise<void>((resolve) => {
        release = resolve;
      });
      releases.add(release);
      const rule: Rule = { step, fault, left: times, hits: 0, heard: [], released };
      story.rules.push(rule);
      return {
        async met(wanted = 1) {
          while (rule.hits < wanted) await new Promise<void>((resolve) => rule.heard.push(resolve));
        },
        release,
      };
    },
  });

  return {
    urls: Object.fromEntries(servers.map(([name, , url]) => [name, url])),
    nextBooking() {
      const story = newStory();
      expected.push(story);
      return faultsOf(story);
    },
    booking: (id) => faultsOf(storyOf(id)),
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
