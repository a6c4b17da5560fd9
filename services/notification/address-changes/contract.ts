import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { Uuid } from '../../../platform/schemas';

// What notification promises to changes of a person's address.

const ChangeParams = z.strictObject({ requestId: Uuid });
/** As identity took it. */
const Address = z.string().min(1).max(320);

/** Whose change it is, and both addresses. */
export const ProposedAddress = z
  .strictObject({ userId: Uuid, emailBefore: Address, email: Address })
  .meta({ id: 'ProposedAddress' });
export type ProposedAddress = z.output<typeof ProposedAddress>;

/** Whose address it is again. */
export const RestoredAddress = z.strictObject({ userId: Uuid, email: Address }).meta({ id: 'RestoredAddress' });
export type RestoredAddress = z.output<typeof RestoredAddress>;

const change = (step: string) => `/internal/address-changes/{requestId}/${step}` as const;

export const addressChangeOperations = {
  proposeAddress: endpoint({
    method: 'post',
    path: change('propose'),
    operationId: 'proposeAddress',
    summary: 'Keep the address that a person wants to be reached by, for the mail that asks whether it is theirs',
    access: 'service',
    idempotency: 'required',
    params: ChangeParams,
    // The addresses were gathered for the request.
    fingerprint: ['userId'],
    body: ProposedAddress,
    replies: { 204: null },
    errors: ['undone'],
  }),
  dropAddress: endpoint({
    method: 'post',
    path: change('drop'),
    operationId: 'dropAddress',
    summary: 'Undo of proposeAddress',
    access: 'service',
    idempotency: 'undo',
    params: ChangeParams,
    replies: { 204: null },
  }),
  switchAddress: endpoint({
    method: 'post',
    path: change('switch'),
    operationId: 'switchAddress',
    summary: 'Reach the person by the proposed address, which they have shown to be theirs',
    access: 'service',
    idempotency: 'required',
    params: ChangeParams,
    replies: { 204: null },
    errors: ['invalid_state', 'undone'],
  }),
  switchAddressBack: endpoint({
    method: 'post',
    path: change('switch-back'),
    operationId: 'switchAddressBack',
    summary: 'Undo of switchAddress',
    access: 'service',
    idempotency: 'undo',
    params: ChangeParams,
    replies: { 204: null },
  }),
  restoreAddress: endpoint({
    method: 'post',
    path: change('restore'),
    operationId: 'restoreAddress',
    summary: 'Reach the person by the address of before the change again, whatever was proposed since',
    access: 'service',
    idempotency: 'required',
    params: ChangeParams,
    fingerprint: ['userId'],
    body: RestoredAddress,
    replies: { 204: null },
  }),
  forgetAddress: endpoint({
    method: 'post',
    path: change('forget'),
    operationId: 'forgetAddress',
    summary: 'Keep nothing more of a change that is settled',
    access: 'service',
    idempotency: 'required',
    params: ChangeParams,
    fingerprint: ['userId'],
    body: z.strictObject({ userId: Uuid }),
    replies: { 204: null },
  }),
} as const;
