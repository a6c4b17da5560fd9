import type { Service } from '../../../platform/http-server';
import { byService } from '../../../platform/idempotency';
import { done } from '../../../platform/replies';
import type { ServiceDeps } from '../../../platform/service';
import { addressChangeOperations as contract } from './contract';
import { dropAddress, forgetAddress, proposeAddress, restoreAddress, switchAddress, switchAddressBack } from './store';

/** The steps and undos of a change of address. */
export function serveAddressChanges(
  service: Service,
  { database: { db } }: { database: Pick<ServiceDeps['database'], 'db'> },
): void {
  service.serve(contract.proposeAddress, async (call) => {
    await proposeAddress(db, byService(call), call.params.requestId, call.body);
    return done;
  });

  service.serve(contract.dropAddress, async (call) => {
    await dropAddress(db, byService(call), call.params.requestId);
    return done;
  });

  service.serve(contract.switchAddress, async (call) => {
    await switchAddress(db, byService(call), call.params.requestId);
    return done;
  });

  service.serve(contract.switchAddressBack, async (call) => {
    await switchAddressBack(db, byService(call), call.params.requestId);
    return done;
  });

  service.serve(contract.restoreAddress, async (call) => {
    await restoreAddress(db, byService(call), call.params.requestId, call.body);
    return done;
  });

  service.serve(contract.forgetAddress, async (call) => {
    await forgetAddress(db, byService(call), call.params.requestId, call.body.userId);
    return done;
  });
}
