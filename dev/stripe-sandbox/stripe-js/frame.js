/**
 * Runs in a frame of the sandbox's own origin, with the fields of a card or, as the page's controller, without. What was typed goes
 * to the sandbox and nowhere else: the page is told ids, statuses and what went wrong.
 */
(() => {
  const query = new URLSearchParams(window.location.search);
  const KEY = query.get('key') ?? '';
  const field = (name) => document.getElementById(name);
  const text = (name) => field(name)?.value.trim() ?? '';

  /** The page that put the frame up, by its own first message. Later ones have to come from there. */
  let page;

  const tell = (message, origin) => window.parent.postMessage(message, origin);

  async function api(method, path, params) {
    const form = new URLSearchParams();
    for (const [name, value] of Object.entries(params)) if (value !== undefined) form.append(name, value);
    const query = method === 'GET' ? `?${form}` : '';
    const headers = { authorization: `Bearer ${KEY}` };
    if (method === 'POST') headers['content-type'] = 'application/x-www-form-urlencoded';
    try {
      const response = await fetch(`${path}${query}`, {
        method,
        headers,
        ...(method === 'POST' && { body: String(form) }),
      });
      const body = await response.json();
      return response.ok ? { body } : { error: errorOf(body.error) };
    } catch {
      return { error: { type: 'api_connection_error', message: 'The sandbox could not be reached.' } };
    }
  }

  function errorOf(error) {
    const { type, code, decline_code, message, param } = error;
    const intent = error.payment_intent ?? error.setup_intent;
    return {
      type,
      code,
      decline_code,
      message,
      param,
      ...(intent && { intent: { id: intent.id, status: intent.status } }),
    };
  }

  function intentOf(intent) {
    const { id, object, status, client_secret, next_action: action } = intent;
    const failure = intent.last_payment_error ?? intent.last_setup_error;
    const method = intent.payment_method;
    return {
      id,
      object,
      status,
      client_secret,
      payment_method: typeof method === 'string' ? method : (method?.id ?? null),
      failure: failure ? errorOf(failure) : null,
      action: action && { redirect: action.redirect_to_url?.url, bank: action.use_stripe_sdk?.stripe_js },
    };
  }

  function nested(name, value) {
    if (typeof value !== 'object' || value === null)
      return value === undefined || value === null ? [] : [[name, value]];
    return Object.entries(value).flatMap(([part, inner]) => nested(`${name}[${part}]`, inner));
  }

  /** "12 / 30", "12/2030" and "1230" are December 2030. */
  function expiry() {
    const digits = text('expiry').replaceAll(/\D/g, '');
    const year = digits.slice(2);
    return { month: digits.slice(0, 2), year: year.length === 2 ? `20${year}` : year };
  }

  const isComplete = () =>
    /^\d{12,19}$/.test(text('number').replaceAll(' ', '')) &&
    /^\d{6}$/.test(expiry().month + expiry().year) &&
    /^\d{3,4}$/.test(text('cvc'));

  const INCOMPLETE = { type: 'validation_error', code: 'incomplete', message: 'Your card is incomplete.' };

  const pathOf = (clientSecret) => {
    const [id] = clientSecret.split('_secret_');
    return `/v1/${id.startsWith('seti_') ? 'setup_intents' : 'payment_intents'}/${id}`;
  };

  const ACTIONS = {
    validate: async () => (isComplete() ? {} : { error: INCOMPLETE }),
    clear: async () => {
      for (const name of ['number', 'expiry', 'cvc']) if (field(name)) field(name).value = '';
      return {};
    },
    focus: async () => {
      field('number')?.focus();
      return {};
    },
    async createPaymentMethod({ billing_details: billing }) {
      if (!isComplete()) return { error: INCOMPLETE };
      const { month, year } = expiry();
      const { body, error } = await api('POST', '/v1/payment_methods', {
        type: 'card',
        'card[number]': text('number').replaceAll(' ', ''),
        'card[exp_month]': month,
        'card[exp_year]': year,
        'card[cvc]': text('cvc'),
        ...Object.fromEntries(nested('billing_details', billing)),
      });
      return error ? { error } : { paymentMethod: { id: body.id } };
    },
    async retrieve({ clientSecret }) {
      const { body, error } = await api('GET', pathOf(clientSecret), { client_secret: clientSecret });
      return error ? { error } : { intent: intentOf(body) };
    },
    async confirmSetup({ clientSecret, payment_method, return_url }) {
      const { body, error } = await api('POST', `${pathOf(clientSecret)}/confirm`, {
        client_secret: clientSecret,
        payment_method,
        return_url,
        use_stripe_sdk: 'true',
      });
      return error ? { error } : { intent: intentOf(body) };
    },
  };

  window.addEventListener('message', async ({ data, origin, source }) => {
    if (source !== window.parent || data === null || typeof data !== 'object') return;
    page ??= origin;
    if (origin !== page || !Object.hasOwn(ACTIONS, data.action)) return;
    tell({ answers: data.question, result: await ACTIONS[data.action](data.params) }, page);
  });

  for (const name of ['number', 'expiry', 'cvc']) {
    field(name)?.addEventListener('input', () => {
      tell({ event: 'change', detail: { complete: isComplete(), empty: text('number') === '' } }, page ?? '*');
    });
  }

  // Whose page this is, nobody knows yet; that the frame is there is no secret.
  tell({ event: 'ready' }, '*');
})();
