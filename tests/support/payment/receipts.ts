import type { User } from '../../../platform/auth';
import { uuidv7 } from '../../../platform/ids';
import type { IssueReceipt } from '../../../services/payment/contract';
import { askPdf, type PdfReply } from '../pdf';
import type { Reply } from '../service';
import type { Paid } from './refunds';
import type { PaymentStack } from './stack';

export const ADA = { name: 'Ada Lovelace', emailName: 'ada' };
export const GRACE = { name: 'Grace Hopper', emailName: 'grace' };

/** How receipts are issued and looked at. */
export function receiptsAt(stackOf: () => PaymentStack) {
  /** As the sweep has it issued, to Ada from Grace if nobody else is named. */
  const issue = (paymentId: string, people: Partial<IssueReceipt> = {}): Promise<Reply> =>
    stackOf().post(`/payments/${paymentId}/receipt`, undefined, {
      payer: ADA,
      payee: GRACE,
      locale: 'en-GB',
      ...people,
    });

  const issueCreditNotes = async (): Promise<number> => (await stackOf().post('/credit-notes')).body.issued;

  async function file(
    path: string,
    user: Pick<User, 'role'> & { id?: string },
    headers?: Record<string, string>,
  ): Promise<PdfReply> {
    const { url, userToken } = stackOf().service;
    return askPdf(`${url}${path}`, await userToken({ id: uuidv7(), ...user }), headers);
  }

  /** The file as the payer gets it. */
  const receiptOf = ({ paymentId, payerId }: Paid, more: { query?: string; headers?: Record<string, string> } = {}) =>
    file(`/api/payments/${paymentId}/receipt.pdf${more.query ?? ''}`, { id: payerId, role: 'student' }, more.headers);
  const creditNoteOf = (refundId: string, { payerId }: Paid, query = '') =>
    file(`/api/refunds/${refundId}/credit-note.pdf${query}`, { id: payerId, role: 'student' });

  return { issue, issueCreditNotes, file, receiptOf, creditNoteOf };
}
