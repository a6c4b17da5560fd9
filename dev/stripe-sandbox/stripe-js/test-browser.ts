/**
 * As much of a browser as the stand-in needs: a page of another origin, frames with windows of their own, and messages between them
 * that keep to origins. The scripts are those that the sandbox serves, and what they ask the sandbox goes over HTTP.
 */
import { createContext, runInContext } from 'node:vm';

/** Where the page lives that takes payments. */
export const PAGE_ORIGIN = 'https://tutors.example';

interface Message {
  data: unknown;
  origin: string;
  source: unknown;
}

type Listener = (event: Message) => unknown;

/** What listens to events, each under its name. */
function listening() {
  const listeners = new Map<string, Listener[]>();
  return {
    addEventListener(name: string, listener: Listener): void {
      listeners.set(name, [...(listeners.get(name) ?? []), listener]);
    },
    dispatch(name: string, event: Message = { data: null, origin: '', source: null }): void {
      for (const listener of listeners.get(name) ?? []) listener(event);
    },
  };
}
type Listening = ReturnType<typeof listening>;

interface PageElement extends Listening {
  tag: string;
  src: string;
  title: string;
  isShown: boolean;
  contentWindow: { postMessage(data: unknown, target: string): void } | null;
  setAttribute(name: string, value: string): void;
  appendChild(child: PageElement): void;
  remove(): void;
}

/** A frame of the sandbox that has come up, with its fields by name. */
export interface Frame {
  src: string;
  window: Listening;
  /** Its window as the page has it, and the page's as it has it. */
  asSeenByPage: object;
  parent: object;
  fields: Map<string, Listening & { value: string }>;
}

/** What the stand-in resolves to. */
interface Outcome {
  error?: { type?: string; code?: string; decline_code?: string; param?: string; message?: string };
  paymentMethod?: { id: string };
  setupIntent?: { id: string; status: string; payment_method: string | null };
  paymentIntent?: { id: string; status: string };
}

interface StripeElement {
  mount(target: string): void;
  on(event: string, listener: (detail: { complete?: boolean }) => void): void;
  clear(): Promise<unknown>;
}

interface StripeElements {
  create(kind: string): StripeElement;
  submit(): Promise<Outcome>;
}

interface StripeJs {
  elements(options?: { clientSecret?: string }): StripeElements;
  createPaymentMethod(options: object): Promise<Outcome>;
  confirmCardSetup(clientSecret: string, data?: object): Promise<Outcome>;
  confirmSetup(options: object): Promise<Outcome>;
  handleNextAction(options: { clientSecret: string }): Promise<Outcome>;
  retrievePaymentIntent(clientSecret: string): Promise<Outcome>;
}

/** Opens a page that has loaded `/stripe.js` from a sandbox. */
export async function openPage(sandboxUrl: string) {
  const pageWindow = listening();
  const frames: Frame[] = [];
  /** The frames with pages of the bank, the latest last. */
  const bankFrames: PageElement[] = [];
  /** All that was ever said to the page. */
  const told: unknown[] = [];
  const visited: string[] = [];

  function send(to: Listening, own: string, from: Omit<Message, 'data'>, data: unknown, target: string): void {
    if (target !== '*' && target !== own) return;
    const copy: unknown = structuredClone(data);
    if (to === pageWindow) told.push(copy);
    setImmediate(() => to.dispatch('message', { data: copy, ...from }));
  }

  async function load(element: PageElement): Promise<void> {
    const response = await fetch(element.src);
    const html = await response.text();
    const script = html.match(/<script src="([^"]+)"/)?.[1];
    if (script === undefined) {
      bankFrames.push(element);
      element.dispatch('load');
      return;
    }
    const own = new URL(element.src).origin;
    const window = listening();
    const asSeenByPage = {
      postMessage: (data: unknown, target: string) =>
        send(window, own, { origin: PAGE_ORIGIN, source: parent }, data, target),
    };
    const parent = {
      postMessage: (data: unknown, target: string) =>
        send(pageWindow, PAGE_ORIGIN, { origin: own, source: asSeenByPage }, data, target),
    };
    element.contentWindow = asSeenByPage;
    const names = [...html.matchAll(/<input id="(\w+)"/g)].map(([, name = '']) => name);
    const fields = new Map(names.map((name) => [name, { ...listening(), value: '' }]));
    const context = createContext({
      window: { ...window, parent, location: new URL(element.src) },
      document: { getElementById: (id: string) => fields.get(id) ?? null },
      fetch: (path: string, init: RequestInit) => fetch(new URL(path, own), init),
      URLSearchParams,
    });
    runInContext(await (await fetch(new URL(script, own))).text(), context);
    frames.push({ src: element.src, window, asSeenByPage, parent, fields });
  }

  function createElement(tag: string): PageElement {
    const children: PageElement[] = [];
    const element: PageElement = {
      ...listening(),
      tag,
      src: '',
      title: '',
      isShown: false,
      contentWindow: null,
      setAttribute(name, value) {
        if (name === 'src' || name === 'title') element[name] = value;
      },
      appendChild(child) {
        children.push(child);
        if (element.isShown) show(child);
      },
      remove() {
        element.isShown = false;
        for (const child of children) child.remove();
      },
    };
    const show = (shown: PageElement) => {
      shown.isShown = true;
      if (shown.tag === 'iframe') void load(shown);
      else for (const child of childrenOf.get(shown) ?? []) show(child);
    };
    childrenOf.set(element, children);
    return element;
  }
  const childrenOf = new Map<PageElement, PageElement[]>();

  const body = createElement('body');
  body.isShown = true;
  const src = `${sandboxUrl}/stripe.js`;
  const context = createContext({
    window: { ...pageWindow, location: { assign: (url: string) => visited.push(url) } },
    document: { currentScript: { src }, createElement, body, querySelector: () => body },
    URL,
  });
  runInContext(await (await fetch(src)).text(), context);
  const Stripe: (key: string) => StripeJs = runInContext('window.Stripe', context);
  return { Stripe, window: pageWindow, frames, bankFrames, told, visited };
}
export type Page = Awaited<ReturnType<typeof openPage>>;
