import type { Service } from '../../../../platform/http-server';
import { byService } from '../../../../platform/idempotency';
import { done, ok } from '../../../../platform/replies';
import type { ServiceDeps } from '../../../../platform/service';
import { accountMailSaga } from '../../../../workflows/account-mail.api';
import { identityKey } from '../../keyring';
import { operations } from '../contract';
import { issueConfirmLink, issueRevertLink } from '../store/links';
import {
  lookAtEmailChange,
  makeEmailChange,
  readAddresses,
  takeEmailChangeBack,
  withdrawEmailChange,
} from '../store/saga-steps';
import { sweepEmailChanges } from './changes';

/** The steps and undos of a change of address. */
export function serveSagaSteps(service: Service, deps: ServiceDeps): void {
  const { config, sagas, logger } = deps;
  const { db } = deps.database;
  const confirmKey = identityKey(config, 'email-change');
  const revertKey = identityKey(config, 'email-revert');

  service.serve(operations.sweepEmailChanges, async () => ok(await sweepEmailChanges(deps)));

  service.serve(operations.getEmailChangeAddresses, async ({ params }) => ok(await readAddresses(db, params.id)));

  service.serve(operations.lookAtEmailChange, async ({ params }) => ok(await lookAtEmailChange(db, params.id)));

  service.serve(operations.issueConfirmLink, async (call) =>
    ok(await issueConfirmLink(db, byService(call), call.params.id, confirmKey)),
  );

  service.serve(operations.withdrawEmailChange, async (call) => {
    await withdrawEmailChange(db, byService(call), call.params.id);
    return done;
  });

  service.serve(operations.makeEmailChange, async (call) =>
    ok(await makeEmailChange(db, byService(call), call.params.id)),
  );

  service.serve(operations.issueRevertLink, async (call) =>
    ok(await issueRevertLink(db, byService(call), call.params.id, revertKey)),
  );

  service.serve(operations.takeEmailChangeBack, async (call) => {
    const reverted = await takeEmailChangeBack(db, byService(call), call.params.id);
    const { mailId: requestId } = reverted;
    if (requestId !== null)
      await sagas
        .start(accountMailSaga, { requestId })
        .catch((error: unknown) => logger.warn({ err: error, requestId }, 'a mail waits for the sweep to begin it'));
    return ok(reverted);
  });
}
