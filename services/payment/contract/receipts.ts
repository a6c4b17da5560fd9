import { z } from 'zod';
import { RECEIPT_LANGUAGES } from '../../../kernel/receipt-language';
import { endpoint } from '../../../platform/endpoint';
import { IdParams, Uuid } from '../../../platform/schemas';

// What people are promised of receipts and credit notes, and what the sweep that has them issued is.

const Pdf = z.instanceof(Buffer).meta({ type: 'string', contentMediaType: 'application/pdf' });

const ReceiptQuery = z.strictObject({
  language: z.enum(RECEIPT_LANGUAGES).optional().meta({ description: "Left out: the payer's" }),
});

const pdf = {
  method: 'get',
  access: 'user',
  params: IdParams,
  query: ReceiptQuery,
  media: 'application/pdf',
  replies: { 200: Pdf },
  errors: ['invalid_state'],
} as const;

/** The public operations of receipts. */
export const receiptOperations = {
  getReceipt: endpoint({
    ...pdf,
    path: '/api/payments/{id}/receipt.pdf',
    operationId: 'getReceipt',
    summary: 'The receipt of a payment of yours',
    description:
      'Issued some minutes after the money was taken; until then 409 with `Retry-After`. What it says never changes, and its `ETag` neither: refunds have credit notes.',
  }),
  getCreditNote: endpoint({
    ...pdf,
    path: '/api/refunds/{id}/credit-note.pdf',
    operationId: 'getCreditNote',
    summary: 'The credit note of a refund of yours',
    description: 'Issued some minutes after the refund was made; until then 409 with `Retry-After`.',
  }),
} as const;

/** A person to be named on a receipt. `emailName`: what stands before the @ of their address, for names that cannot be printed. */
const NamedPerson = z.strictObject({ name: z.string().max(500), emailName: z.string().max(254) });
export type NamedPerson = z.output<typeof NamedPerson>;

/** null: they are no user any more. `locale`: the payer's. */
const IssueReceipt = z.strictObject({
  payer: NamedPerson.nullable(),
  payee: NamedPerson.nullable(),
  locale: z.string().max(35).nullable(),
});
export type IssueReceipt = z.output<typeof IssueReceipt>;

const DueReceipt = z.object({ paymentId: Uuid, payerId: Uuid, payeeId: Uuid }).meta({ id: 'DueReceipt' });

/** The internal operations of receipts. None stores a reply under a key: names shall stand in the receipt alone. */
export const receiptStepOperations = {
  dueReceipts: endpoint({
    method: 'get',
    path: '/internal/receipts/due',
    operationId: 'dueReceipts',
    summary: 'A page of payments whose money was taken and that have no receipt yet, the latest first',
    access: 'service',
    replies: { 200: z.object({ items: z.array(DueReceipt) }) },
  }),
  issueReceipt: endpoint({
    method: 'post',
    path: '/internal/payments/{id}/receipt',
    operationId: 'issueReceipt',
    summary: 'Issue the receipt of a payment',
    description: 'Harmless twice: the first counts, and `issued` says whether it was this one.',
    access: 'service',
    params: IdParams,
    body: IssueReceipt,
    replies: { 200: z.object({ issued: z.boolean() }) },
    errors: ['invalid_state'],
  }),
  issueCreditNotes: endpoint({
    method: 'post',
    path: '/internal/credit-notes',
    operationId: 'issueCreditNotes',
    summary: 'Issue the credit notes of refunds that are made and have none, of payments that have their receipt',
    description: 'They name whom the receipt names. Harmless twice.',
    access: 'service',
    replies: { 200: z.object({ issued: z.int().min(0) }) },
  }),
} as const;
