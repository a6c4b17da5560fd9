import { uuidv7 } from '../../../platform/ids';
import { ask, type Reply } from '../service';
import type { PaymentStack } from './stack';

/** A student, and what they ask of their cards. */
export interface CardHolder {
  id: string;
  token: string;
  list(): Promise<Reply>;
  setUp(key?: string): Promise<Reply>;
  remove(card: string): Promise<Reply>;
  /** Saves a card as a page does, with what pages are told. @returns its id */
  save(token?: string): Promise<string>;
}

/** Makes a user known to Stripe, as the sign-up's saga does. */
export async function openAccount(stack: PaymentStack, userId: string, role: 'student' | 'tutor'): Promise<void> {
  const details = { userId, role, email: `${userId}@example.org`, name: 'Ada' };
  const { status } = await stack.post('/accounts', `user:${userId}/account`, details);
  if (status !== 201) throw new Error(`the account was answered ${status}`);
}

/** A student, who is a customer of Stripe's unless it is said otherwise. */
export async function cardHolder(stack: PaymentStack, { isCustomer = true } = {}): Promise<CardHolder> {
  const id = uuidv7();
  if (isCustomer) await openAccount(stack, id, 'student');
  const token = await stack.service.userToken({ id, role: 'student' });
  const setUp = (key = uuidv7()) => stack.service.ask('POST', '/api/payment-methods/setup', { token, key });
  return {
    id,
    token,
    setUp,
    list: () => stack.service.ask('GET', '/api/payment-methods', { token }),
    remove: (card) => stack.service.ask('DELETE', `/api/payment-methods/${card}`, { token }),
    async save(card = 'pm_card_visa') {
      const { body: config } = await stack.service.ask('GET', '/api/stripe/config');
      const { clientSecret } = (await setUp()).body;
      const [setup] = String(clientSecret).split('_secret_');
      const confirmed = await ask(stack.sandbox.url, 'POST', `/v1/setup_intents/${setup}/confirm`, {
        headers: {
          authorization: `Bearer ${config.publishableKey}`,
          'content-type': 'application/x-www-form-urlencoded',
        },
        raw: new URLSearchParams({ client_secret: clientSecret, payment_method: card }).toString(),
      });
      if (confirmed.status !== 200) throw new Error(`Stripe answered ${confirmed.status}`);
      return String(confirmed.body.payment_method);
    },
  };
}
