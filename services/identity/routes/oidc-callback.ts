import type { Service } from '../../../platform/http-server';
import { sendPage } from '../../../platform/page';
import type { ServiceDeps } from '../../../platform/service';
import { OIDC_CALLBACK_PAGE } from '../contract';
import { readRedirectUri } from '../oidc/store/transactions';
import { textIn } from './link-token';

/** What an app needs of a provider's answer (OpenID Connect Core 1.0 §3.1.2.5, RFC 9207). */
const PASSED_ON = ['code', 'state', 'iss', 'error'] as const;

/**
 * Where every provider sends people back to. It sends them on to the app that began, with the provider's answer, and spends nothing: whoever finishes
 * has to have the app's secret as well.
 */
export function serveOidcCallback({ app }: Service, { database: { db } }: ServiceDeps): void {
  app.get(OIDC_CALLBACK_PAGE, async (request, response) => {
    const operation = 'oidcCallbackPage';
    const state = textIn(request.query, 'state');
    const redirectUri = state === undefined ? undefined : await readRedirectUri(db, state);
    if (redirectUri === undefined) {
      const text = '<p>It was finished, or has taken longer than ten minutes. Please begin again in the app.</p>';
      return sendPage(response, { operation, status: 400, title: 'This sign-in does not work any more', text });
    }
    const answer = new URLSearchParams();
    for (const name of PASSED_ON) {
      const value = textIn(request.query, name);
      if (value !== undefined) answer.set(name, value);
    }
    response.locals.operation = operation;
    response.set({ 'Cache-Control': 'no-store', 'Referrer-Policy': 'no-referrer' });
    response.redirect(303, `${redirectUri}?${answer}`);
  });
}
