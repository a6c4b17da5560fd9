import express, { type Request, type Response } from 'express';
import { type ErrorCode, ProblemError } from '../../../../kernel/errors';
import { FORGOT_PAGE } from '../../../../kernel/pages';
import type { Service } from '../../../../platform/http-server';
import { sendPage } from '../../../../platform/page';
import type { ServiceDeps } from '../../../../platform/service';
import { tokenIn } from '../../routes/link-token';
import { CONFIRM_PAGE, REVERT_PAGE } from '../contract';
import { createEmailChanges } from './changes';

/** The words of a page. */
interface Words {
  title: string;
  text: string;
}

/** A page whose button sends the token of a link, by a form without any script. Opening the link spends nothing: mail scanners open every link. */
interface LinkPage {
  path: string;
  operation: string;
  form: Words & { button: string };
  done: Words;
  underWay: Words;
  /** What is said of a refusal. */
  refused: Partial<Record<ErrorCode, Words>>;
  /** @returns whether it is done; it is under way otherwise */
  spend(token: string, receivedAt: Date): Promise<boolean>;
}

/** Where the links of mails about a change of address lead. */
export function servePages(service: Service, deps: ServiceDeps): void {
  const { confirm, revert } = createEmailChanges(deps);
  serveLinkPage(service, {
    path: CONFIRM_PAGE,
    operation: 'confirmEmailChangePage',
    form: {
      title: 'Is this your new e-mail address?',
      text: '<p>Your account is reached by this address then, and you sign in with it. Other devices are signed out.</p>',
      button: 'Change the address',
    },
    done: {
      title: 'Your e-mail address is changed',
      text: '<p>Sign in with the new address from now on. You can close this page.</p>',
    },
    underWay: {
      title: 'Your e-mail address is being changed',
      text: '<p>It takes longer than it should, and goes on without you. A mail tells you when it is done. You can close this page.</p>',
    },
    refused: {
      invalid_token: {
        title: 'This link does not work any more',
        text: '<p>It works for 24 hours. A newer request replaces it, and so does a new password. Your account has the address that it had.</p>',
      },
      email_taken: {
        title: 'Somebody has an account with this address by now',
        text: '<p>Your account has the address that it had. You can ask for another one.</p>',
      },
      request_expired: {
        title: 'The address was not changed',
        text: '<p>The change was given up before it was made. Your account has the address that it had. You can ask for it once more.</p>',
      },
    },
    spend: confirm,
  });
  serveLinkPage(service, {
    path: REVERT_PAGE,
    operation: 'revertEmailChangePage',
    form: {
      title: 'Take the change of your e-mail address back?',
      text:
        '<p>Your account has this address again then. Everybody is signed out, and the password works no more: a link to choose a new one is ' +
        'sent to you.</p>',
      button: 'Take it back',
    },
    done: {
      title: 'Your account has its address again',
      text: '<p>Everybody is signed out. A link to choose a new password is on its way to you. You can close this page.</p>',
    },
    underWay: {
      title: 'Your account gets its address again',
      text:
        '<p>Everybody is signed out already. The rest takes longer than it should, and goes on without you: then a link to choose a new password ' +
        'is sent to you. You can close this page.</p>',
    },
    refused: {
      invalid_token: {
        title: 'This link does not work any more',
        text: `<p>It works for seven days. If you cannot sign in, <a href="${FORGOT_PAGE}">have a link for a new password sent</a>.</p>`,
      },
      conflict: {
        title: 'Please try again in a moment',
        text: '<p>A later change of the address is being taken back just now. Open the link of the mail again.</p>',
      },
    },
    spend: revert,
  });
}

const NOT_COMPLETE: Words = {
  title: 'This link is not complete',
  text: '<p>Please open the link of the mail again, or copy all of it.</p>',
};

const readForm = express.urlencoded({ extended: false, limit: '2kb' });

function serveLinkPage({ app }: Service, page: LinkPage): void {
  const { path, operation, form } = page;
  const show = (response: Response, status: number, words: Words) =>
    sendPage(response, { operation, status, ...words });

  app.get(path, (request, response) => {
    const token = tokenIn(request.query);
    if (token === undefined) return show(response, 400, NOT_COMPLETE);
    const button = `<form method="post" action="?"><input type="hidden" name="token" value="${token}"><button>${form.button}</button></form>`;
    show(response, 200, { title: form.title, text: form.text + button });
  });

  app.post(path, readForm, async (request: Request, response: Response) => {
    const token = tokenIn(request.body);
    if (token === undefined) return show(response, 400, NOT_COMPLETE);
    try {
      const isDone = await page.spend(token, new Date());
      show(response, isDone ? 200 : 202, isDone ? page.done : page.underWay);
    } catch (error) {
      const words = error instanceof ProblemError ? page.refused[error.code] : undefined;
      if (!(error instanceof ProblemError) || !words) throw error;
      show(response, error.status, words);
    }
  });
}
