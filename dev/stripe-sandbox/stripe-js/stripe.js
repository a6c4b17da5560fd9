/**
 * The sandbox's stand-in for https://js.stripe.com: the part of Stripe.js that the README names. It runs in the page that pays, and
 * never sees a card: the fields, and all that is said to the API, are in frames of the sandbox's own origin.
 * See https://docs.stripe.com/js
 */
(() => {
  const ORIGIN = new URL(document.currentScript.src).origin;

  /** Tells one frame from another, and one question from another. */
  let count = 0;

  function frameOf(key, element) {
    const frame = document.createElement('iframe');
    const url = new URL('/stripe-js/frame', ORIGIN);
    url.searchParams.set('key', key);
    url.searchParams.set('element', element);
    frame.setAttribute('src', url.href);
    frame.setAttribute('title', element === 'controller' ? 'Stripe sandbox' : 'Card');
    frame.setAttribute('style', element === 'controller' ? 'display:none' : 'border:0;width:100%;height:11rem');
    return frame;
  }

  /**
   * What a frame is asked and what it says. Only messages that come from that very frame, and from the sandbox's origin, count; what is
   * said to it goes to that origin alone.
   */
  function channelTo(frame, onEvent = () => {}) {
    const waiting = new Map();
    let start;
    const started = new Promise((resolve) => {
      start = resolve;
    });
    window.addEventListener('message', ({ data, origin, source }) => {
      if (origin !== ORIGIN || source !== frame.contentWindow || data === null || typeof data !== 'object') return;
      if (data.event === 'ready') start();
      if (data.event !== undefined) onEvent(data.event, data.detail);
      const answer = waiting.get(data.answers);
      waiting.delete(data.answers);
      answer?.(data.result);
    });
    return async (action, params = {}) => {
      await started;
      count += 1;
      const question = count;
      const answered = new Promise((resolve) => {
        waiting.set(question, resolve);
      });
      frame.contentWindow.postMessage({ question, action, params }, ORIGIN);
      return answered;
    };
  }

  function elementOf(key, kind) {
    const listeners = new Map();
    const frame = frameOf(key, kind);
    const ask = channelTo(frame, (event, detail) => {
      for (const listener of listeners.get(event) ?? []) listener({ elementType: kind, ...detail });
    });
    return {
      ask,
      mount(target) {
        const place = typeof target === 'string' ? document.querySelector(target) : target;
        if (place === null) throw new Error(`There is no ${target} to mount the element in.`);
        place.appendChild(frame);
      },
      unmount: () => frame.remove(),
      destroy: () => frame.remove(),
      on(event, listener) {
        listeners.set(event, [...(listeners.get(event) ?? []), listener]);
        return this;
      },
      clear: () => ask('clear'),
      focus: () => ask('focus'),
    };
  }

  function elementsOf(key, { clientSecret } = {}) {
    let made;
    return {
      clientSecret,
      create(kind) {
        if (kind !== 'card' && kind !== 'payment') throw new Error(`The sandbox has no element ${kind}.`);
        made = elementOf(key, kind);
        return made;
      },
      getElement: () => made ?? null,
      /** Says what is wrong with the fields, if anything is. */
      submit: async () => (made === undefined ? { error: incomplete() } : made.ask('validate')),
    };
  }

  const incomplete = () => ({ type: 'validation_error', code: 'incomplete', message: 'Your card is incomplete.' });

  /** Shows the bank's page until the intent no longer waits for it. Each page that comes up in the frame may be the last. */
  function showBank(url, isOver) {
    const cover = document.createElement('div');
    cover.setAttribute('style', 'position:fixed;inset:0;background:#0008;z-index:2147483647');
    const frame = document.createElement('iframe');
    frame.setAttribute('src', url);
    frame.setAttribute('title', '3-D Secure');
    frame.setAttribute('style', 'border:0;background:#fff;position:absolute;inset:10% 10%;width:80%;height:80%');
    cover.appendChild(frame);
    return new Promise((resolve) => {
      frame.addEventListener('load', async () => {
        const intent = await isOver();
        if (intent === undefined) return;
        cover.remove();
        resolve(intent);
      });
      document.body.appendChild(cover);
    });
  }

  function Stripe(key) {
    if (typeof key !== 'string' || !key.startsWith('pk_')) {
      throw new Error('Please call Stripe() with your publishable key. You used an empty string or a secret key.');
    }
    const controller = frameOf(key, 'controller');
    const ask = channelTo(controller);
    document.body.appendChild(controller);

    const retrieve = (clientSecret) => ask('retrieve', { clientSecret });

    /** What Stripe.js resolves to: the intent under its name, or what went wrong with it. */
    function outcomeOf({ error, intent }) {
      if (error !== undefined) return { error };
      const failure = intent.status === 'requires_payment_method' ? intent.failure : null;
      if (failure) return { error: failure };
      return intent.object === 'setup_intent' ? { setupIntent: intent } : { paymentIntent: intent };
    }

    async function finish(clientSecret, result) {
      const { error, intent } = result;
      if (error !== undefined || intent.status !== 'requires_action') return outcomeOf(result);
      const { redirect, bank } = intent.action;
      if (redirect !== undefined) {
        window.location.assign(redirect);
        return new Promise(() => {});
      }
      const over = await showBank(bank, async () => {
        const now = await retrieve(clientSecret);
        return now.intent?.status === 'requires_action' ? undefined : now;
      });
      return outcomeOf(over);
    }

    async function createPaymentMethod({ card, elements, billing_details, params }) {
      const element = card ?? elements?.getElement();
      if (!element) return { error: incomplete() };
      return element.ask('createPaymentMethod', { billing_details: billing_details ?? params?.billing_details });
    }

    async function confirm(clientSecret, method, returnUrl) {
      let chosen = method;
      if (typeof method !== 'string') {
        const { error, paymentMethod } = await createPaymentMethod(method);
        if (error !== undefined) return { error };
        chosen = paymentMethod.id;
      }
      const asked = { clientSecret, payment_method: chosen, return_url: returnUrl };
      return finish(clientSecret, await ask('confirmSetup', asked));
    }

    return {
      elements: (options) => elementsOf(key, options),
      createPaymentMethod,
      confirmCardSetup: (clientSecret, data = {}) => confirm(clientSecret, data.payment_method, data.return_url),
      /** Goes to the return URL when all is done, unless that is for redirects alone. */
      async confirmSetup({ elements, clientSecret = elements?.clientSecret, confirmParams = {}, redirect = 'always' }) {
        const method = confirmParams.payment_method ?? { elements, params: confirmParams.payment_method_data };
        const outcome = await confirm(clientSecret, method, confirmParams.return_url);
        if (outcome.error !== undefined || redirect === 'if_required') return outcome;
        const url = new URL(confirmParams.return_url);
        url.searchParams.set('setup_intent', outcome.setupIntent.id);
        url.searchParams.set('setup_intent_client_secret', clientSecret);
        url.searchParams.set('redirect_status', 'succeeded');
        window.location.assign(url.href);
        return new Promise(() => {});
      },
      handleNextAction: async ({ clientSecret }) => finish(clientSecret, await retrieve(clientSecret)),
      retrievePaymentIntent: async (clientSecret) => outcomeOf(await retrieve(clientSecret)),
      retrieveSetupIntent: async (clientSecret) => outcomeOf(await retrieve(clientSecret)),
    };
  }

  window.Stripe = Stripe;
})();
