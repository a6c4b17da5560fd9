import express, { type Request, type Response } from 'express';
import { ProblemError } from '../../../kernel/errors';
import { clientAddress, type Service } from '../../../platform/http-server';
import { sendPage } from '../../../platform/page';
import type { ServiceDeps } from '../../../platform/service';
import { FORGOT_PAGE, MAX_PASSWORD, MIN_PASSWORD, NewPassword, RESET_PAGE } from '../contract';
import { createAccountMails } from './account-mails';
import { textIn, tokenIn } from './link-token';
import { resetBy } from './passwords';

/**
 * Pages for people who forgot their password: one that has a link sent, and one where that link leads. Both are forms without any script. Opening
 * the link spends nothing, because mail scanners open every link; sending the form does.
 */
export function servePasswordPages(service: Service, deps: ServiceDeps): void {
  serveForgotPage(service, deps);
  serveResetPage(service, deps);
}

const readForm = express.urlencoded({ extended: false, limit: '8kb' });

function serveForgotPage({ app }: Service, deps: ServiceDeps): void {
  const mails = createAccountMails(deps);
  const show = showing('forgotPasswordPage');

  app.get(FORGOT_PAGE, (_request, response) => show(response, 200, 'Forgotten your password?', ASK));

  app.post(FORGOT_PAGE, readForm, async (request: Request, response: Response) => {
    const email = textIn(request.body, 'email');
    if (email === undefined || email === '') return show(response, 422, 'Forgotten your password?', ASK);
    try {
      response.set(await mails.forgotPassword(email.slice(0, LONGEST_ADDRESS), clientAddress(request, response)));
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'rate_limited') throw error;
      response.set({ 'Retry-After': String(error.more.retryAfterSeconds), ...error.more.headers });
      return show(response, 429, 'That was often', '<p>Please try again in an hour.</p>');
    }
    show(response, 202, 'Look into your mail', SENT);
  });
}

function serveResetPage({ app }: Service, { database: { db } }: ServiceDeps): void {
  const show = showing('resetPasswordPage');

  app.get(RESET_PAGE, (request, response) => {
    const token = tokenIn(request.query);
    if (token === undefined) show(response, 400, 'This link is not complete', NOT_COMPLETE);
    else show(response, 200, 'Choose a new password', CHOOSE(token));
  });

  app.post(RESET_PAGE, readForm, async (request: Request, response: Response) => {
    const token = tokenIn(request.body);
    if (token === undefined) return show(response, 400, 'This link is not complete', NOT_COMPLETE);
    const password = NewPassword.safeParse(textIn(request.body, 'password'));
    if (!password.success) return show(response, 422, 'Choose another password', CHOOSE(token));
    try {
      await resetBy(db, token, password.data);
    } catch (error) {
      if (!(error instanceof ProblemError) || error.code !== 'invalid_token') throw error;
      return show(response, 400, 'This link does not work any more', SPENT);
    }
    show(response, 200, 'You have a new password', CHANGED);
  });
}

/** As long as what the API takes. */
const LONGEST_ADDRESS = 1_024;

const ASK =
  '<p>Type the e-mail address of your account: a link to choose a new password is sent there.</p>' +
  '<form method="post" action="?"><label>E-mail address<input type="email" name="email" autocomplete="email" required></label>' +
  '<button>Send the link</button></form>';
const SENT =
  '<p>If there is an account with this address, a link is on its way. It works once and for 30 minutes. ' +
  'Three are sent in an hour at most; the last one counts.</p>';
const NOT_COMPLETE = '<p>Please open the link of the mail again, or copy all of it.</p>';
const SPENT = `<p>It works once and for 30 minutes, and a newer one replaces it. <a href="${FORGOT_PAGE}">Have another one sent</a>.</p>`;
const CHANGED = '<p>You are signed out everywhere. Sign in with the new password. You can close this page.</p>';
const CHOOSE = (token: string) =>
  `<p>Any ${MIN_PASSWORD} to ${MAX_PASSWORD} characters. You are signed out everywhere then.</p>` +
  `<form method="post" action="?"><input type="hidden" name="token" value="${token}">` +
  `<label>New password<input type="password" name="password" autocomplete="new-password" minlength="${MIN_PASSWORD}" required></label>` +
  '<button>Set password</button></form>';

function showing(operation: string) {
  return (response: Response, status: number, title: string, text: string): void =>
    sendPage(response, { operation, status, title, text });
}
