import { ProblemError } from '../../../kernel/errors';
import type { Service } from '../../../platform/http-server';
import { sendPage } from '../../../platform/page';
import { created, ok } from '../../../platform/replies';
import { shownAccount } from '../accounts/rules';
import { connectedAccountOf, recordEnabled } from '../accounts/store';
import { paymentContract as contract, EXPIRED_PAGE, ONBOARDED_PAGE } from '../contract';
import type { Till } from '../till';

/** What tutors see of their account at Stripe. Nothing of it is kept here: Stripe is asked. `publicUrl`: where links to the platform start. */
export function servePayoutAccount(service: Service, { db, stripe }: Till, publicUrl: string): void {
  service.serve(contract.getPayoutAccount, async ({ user }) => {
    const id = await connectedAccountOf(db, user.id);
    const account = id === null ? null : await stripe.readAccount(id);
    if (account) await recordEnabled(db, user.id, account.isPaid);
    return ok(shownAccount(account));
  });

  service.serve(contract.startOnboarding, async ({ user }) => {
    const id = await connectedAccountOf(db, user.id);
    const urls = { returnUrl: `${publicUrl}${ONBOARDED_PAGE}`, refreshUrl: `${publicUrl}${EXPIRED_PAGE}` };
    const link = id === null ? null : await stripe.createOnboardingLink(id, urls);
    if (!link) throw new ProblemError('invalid_state', 'There is no account at Stripe for you');
    return created({ url: link.url, expiresAt: link.expiresAt.toISOString() });
  });

  // Stripe sends people back as they left, without a token: all that they are told is true for everybody.
  service.app.get(ONBOARDED_PAGE, (_request, response) => {
    sendPage(response, {
      ...{ operation: 'onboardedPage', status: 200, title: 'Stripe has what you told it' },
      text: '<p>Thank you. You can close this page: your account says whether anything is missing.</p>',
    });
  });
  service.app.get(EXPIRED_PAGE, (_request, response) => {
    sendPage(response, {
      ...{ operation: 'onboardingExpiredPage', status: 200, title: 'This link does not work any more' },
      text: '<p>It opens once, and within some minutes. Please ask for a new one where you found it.</p>',
    });
  });
}
