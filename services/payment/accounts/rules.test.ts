import { shownAccount } from './rules';

const due = { currentlyDue: ['external_account'], disabledReason: 'requirements.past_due' };

test.each([
  ['there is none', null, 'not_started'],
  ['nobody has said who they are', { detailsSubmitted: false, isPaid: false, ...due }, 'incomplete'],
  ['Stripe wants to know more', { detailsSubmitted: true, isPaid: false, ...due }, 'restricted'],
  ['all is well', { detailsSubmitted: true, isPaid: true, ...due }, 'enabled'],
  ['Stripe pays out, whatever it knows', { detailsSubmitted: false, isPaid: true, ...due }, 'enabled'],
])('an account of which %s', (_, facts, status) => {
  expect(shownAccount(facts)).toEqual({ status, ...(facts ? due : { currentlyDue: [], disabledReason: null }) });
});
