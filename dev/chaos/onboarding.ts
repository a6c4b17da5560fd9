import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { ONBOARDED_PAGE } from '../../services/payment/contract';
import type { Client } from './client';
import { askAs, type Person, unexpected } from './people';
import type { BankKind, EarnerPlan } from './plan';
import { onboardingLinkSchema } from './wire';

const ANSWER_WITHIN_MS = 15_000;
const AGAIN_AFTER_MS = 500;

/** Account numbers of the sandbox, by what becomes of a payout to them. */
const NUMBERS: Record<EarnerPlan['currency'], { country: string; numbers: Record<BankKind, string> }> = {
  EUR: {
    country: 'DE',
    numbers: {
      takes: 'DE89370400440532013000',
      closed: 'DE89370400440532013002',
      passing: 'DE89370400440532013003',
      returns: 'DE89370400440532013099',
    },
  },
  USD: {
    country: 'US',
    numbers: {
      takes: '000123456789',
      closed: '000111111113',
      passing: '000222222227',
      returns: '000999999990',
    },
  },
};

/**
 * A payee tells Stripe all that it asks, on the page behind the platform's own link, and gives it a bank account of this kind, if any.
 * Once more: the bank account takes the place of the one before.
 */
export async function onboard(
  client: Client,
  who: Person,
  currency: EarnerPlan['currency'],
  bank: BankKind | undefined,
): Promise<void> {
  for (;;) {
    const reply = await askAs(client, who, 'POST', '/api/payouts/account/onboarding');
    if (reply.status !== 201) throw unexpected('asking for a page to onboard on', reply);
    // A link that was used, or whose answer was lost, leads to another.
    if (await submit(onboardingLinkSchema.parse(reply.body).url, who, currency, bank)) return;
    await sleep(AGAIN_AFTER_MS);
  }
}

/** Fills in the page. @returns whether Stripe has taken it */
async function submit(url: string, who: Person, currency: EarnerPlan['currency'], bank: BankKind | undefined) {
  const { country, numbers } = NUMBERS[currency];
  const form = new URLSearchParams({
    ...{ first_name: who.firstName, last_name: who.lastName, dob: '1990-12-31' },
    ...(bank && {
      'banks[0][currency]': currency,
      'banks[0][country]': country,
      'banks[0][account_number]': numbers[bank],
    }),
  });
  try {
    const { statusCode, headers, body } = await request(url, {
      ...{ method: 'POST', signal: AbortSignal.timeout(ANSWER_WITHIN_MS), body: form.toString() },
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    });
    await body.dump();
    if (statusCode === 422) throw new TypeError('Stripe did not take what was filled in');
    return statusCode === 303 && String(headers.location).includes(ONBOARDED_PAGE);
  } catch (error) {
    if (error instanceof TypeError && error.message.startsWith('Stripe')) throw error;
    return false; // the sandbox is down at the moment
  }
}
