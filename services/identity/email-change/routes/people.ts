import { ProblemError } from '../../../../kernel/errors';
import type { Service } from '../../../../platform/http-server';
import { done } from '../../../../platform/replies';
import type { ServiceDeps } from '../../../../platform/service';
import { operations } from '../contract';
import { createEmailChanges } from './changes';

/** What people call: they ask for another address, confirm it, and take it back. */
export function servePeople(service: Service, deps: ServiceDeps): void {
  const changes = createEmailChanges(deps);

  service.serve(operations.changeEmail, async ({ user, params, body }) => {
    if (params.id !== user.id) throw new ProblemError('not_found');
    const { headers, requestId } = await changes.ask(user, body);
    return { status: 202 as const, headers, body: { requestId } };
  });

  service.serve(operations.confirmEmailChange, async ({ body, receivedAt }) =>
    (await changes.confirm(body.token, receivedAt)) ? done : UNDER_WAY,
  );

  service.serve(operations.revertEmailChange, async ({ body, receivedAt }) =>
    (await changes.revert(body.token, receivedAt)) ? done : UNDER_WAY,
  );
}

const UNDER_WAY = { status: 202, body: {} } as const;
