import express, { type Response } from 'express';
import { ProblemError } from '../../../kernel/errors';
import type { Service } from '../../../platform/http-server';
import { sendPage } from '../../../platform/page';
import type { ServiceDeps } from '../../../platform/service';
import { VERIFICATION_PAGE } from '../contract';
import { verifyEmail } from '../store/email-verification';
import { tokenIn } from './link-token';

/**
 * Where the link of the welcome mail leads: a page whose button sends the token, by a form without any script. Opening the
 * link spends nothing, because mail scanners open every link.
 */
export function serveVerificationPage({ app }: Service, { database: { db } }: ServiceDeps): void {
  app.get(VERIFICATION_PAGE, (request, response) => {
    const token = tokenIn(request.query);
    if (token === undefined) show(response, 400, 'This link is not complete', NOT_COMPLETE);
    else show(response, 200, 'Confirm your e-mail address', FORM(token));
  });

  const readForm = express.urlencoded({ extended: false, limit: '2kb' });
  app.post(VERIFICATION_PAGE, readForm, async (request, response) => {
    const token = tokenIn(request.body);
    if (token === undefined) return show(response, 400, 'This link is not complete', NOT_COMPLETE);
    try {
      await verifyEmail(db, token);
      show(response, 200, 'Your e-mail address is confirmed', '<p>Thank you. You can close this page.</p>');
    } catch (error) {
      if (!(error instanceof ProblemError)) throw error;
      show(response, error.status, 'This link does not work any more', SPENT);
    }
  });
}

const NOT_COMPLETE = '<p>Please open the link of the mail again, or copy all of it.</p>';
const SPENT =
  '<p>It works once and for 24 hours, and a newer one replaces it. If you have confirmed your address before, all is well.</p>';
const FORM = (token: string) =>
  `<form method="post" action="?"><input type="hidden" name="token" value="${token}"><button>Confirm</button></form>`;

function show(response: Response, status: number, title: string, text: string): void {
  sendPage(response, { operation: 'verifyEmailPage', status, title, text });
}
