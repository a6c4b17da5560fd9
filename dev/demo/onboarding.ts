import { request } from 'undici';
import type { Person } from './cast';
import { ExpectationError, expectThat } from './gateway';
import type { Stage } from './stage';
import type { Timeline } from './timeline';
import { linkSchema, payoutAccountSchema } from './wire';

/** Of Stripe's test numbers the sandbox knows those. The first is of an account that its bank has closed. */
export const BANK_ACCOUNTS = { closed: 'DE89370400440532013002', good: 'DE89370400440532013000' } as const;

/**
 * A tutor says on Stripe's page who they are and where their money goes, as in a browser. Their account is paid out then.
 * @throws ExpectationError when the page does not lead back, or something is still missing
 */
export async function tellStripe(
  { gateway }: Stage,
  timeline: Timeline,
  tutor: Person,
  iban: string,
  what: string,
): Promise<void> {
  const { token, name } = tutor;
  const { body: link } = await gateway(timeline, linkSchema, 'POST', '/api/payouts/account/onboarding', {
    token,
    expect: [201],
    what: "Mary asks for Stripe's page about her account",
  });
  await visited(link.url, 200);
  const [firstName = '', lastName = ''] = name.split(' ');
  const answers = {
    ...{ first_name: firstName, last_name: lastName, dob: '1980-12-26' },
    ...{ 'banks[0][currency]': 'EUR', 'banks[0][country]': 'DE', 'banks[0][account_number]': iban },
  };
  const { location } = await visited(link.url, 303, answers);
  timeline.step(what, { status: 303, note: iban });
  const { text } = await visited(location, 200);
  const title = 'Stripe has what you told it';
  expectThat(timeline, `she is led back to a page that says “${title}”`, text.includes(title), location);
  const { body: account } = await gateway(timeline, payoutAccountSchema, 'GET', '/api/payouts/account', {
    token,
    expect: [200],
  });
  const is = [account.status, ...account.currentlyDue].join(', ');
  expectThat(timeline, 'Stripe asks nothing more: her account is enabled', is === 'enabled', is);
}

/** Opens a page, or sends its form. */
async function visited(
  url: string,
  status: number,
  form?: Record<string, string>,
): Promise<{ text: string; location: string }> {
  const response = await request(url, {
    method: form ? 'POST' : 'GET',
    ...(form && {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: new URLSearchParams(form).toString(),
    }),
  });
  const text = await response.body.text();
  if (response.statusCode !== status)
    throw new ExpectationError(`${url} should have answered ${status} and answered ${response.statusCode}`);
  return { text, location: String(response.headers.location ?? '') };
}
