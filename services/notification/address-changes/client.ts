import type { UndoKey } from '../../../kernel/step-key';
import type { ServiceClient } from '../../../platform/http-client';
import { addressChangeOperations as contract, type ProposedAddress, type RestoredAddress } from './contract';

/** notification's steps of a change of address, for activities. `id` is that of the request; `key` is `<workflowId>/<step>`, that of an undo ends with `/undo`. */
export function createAddressChangeClient(http: ServiceClient) {
  const of = <Key extends string>(requestId: string, key: Key) => ({ params: { requestId }, idempotencyKey: key });
  return {
    /** @throws ProblemError undone */
    propose: (id: string, body: ProposedAddress, key: string) =>
      http.call(contract.proposeAddress, { ...of(id, key), body }),
    /** Undo of propose. */
    drop: (id: string, key: UndoKey) => http.call(contract.dropAddress, of(id, key)),
    /** @throws ProblemError undone; invalid_state when it is not proposed any more */
    switch: (id: string, key: string) => http.call(contract.switchAddress, of(id, key)),
    /** Undo of switch. */
    switchBack: (id: string, key: UndoKey) => http.call(contract.switchAddressBack, of(id, key)),
    restore: (id: string, body: RestoredAddress, key: string) =>
      http.call(contract.restoreAddress, { ...of(id, key), body }),
    forget: (id: string, userId: string, key: string) =>
      http.call(contract.forgetAddress, { ...of(id, key), body: { userId } }),
  };
}
