import { ProblemError } from '../../../kernel/errors';
import type { ReceiptLanguage } from '../../../kernel/receipt-language';
import { SECOND } from '../../../kernel/time';
import type { Service } from '../../../platform/http-server';
import { ok } from '../../../platform/replies';
import { SWEEP_EVERY_MS } from '../../../workflows/sweep.api';
import { maySee, subjectOf } from '../charges/rules';
import { type PaymentRow, readPayment } from '../charges/store/payments';
import { paymentContract as contract } from '../contract';
import { hasGlyph } from '../receipts/font';
import { type Page, pdfOf } from '../receipts/pdf';
import { numberOf, printable } from '../receipts/rules';
import type { NameSealer } from '../receipts/sealed-names';
import { findCreditNote, findReceipt, type ReceiptRow } from '../receipts/store';
import { creditNotePage, FORM, receiptPage, type Said } from '../receipts/words';
import { readRefund } from '../refunds/store/refunds';
import type { Till } from '../till';

/** What people see of receipts and credit notes: of payments that are between them and somebody. Rendered when they are asked for. */
export function serveReceipts(service: Service, { db }: Pick<Till, 'db'>, sealer: NameSealer): void {
  const said = (payment: PaymentRow, receipt: ReceiptRow, language: ReceiptLanguage = receipt.language): Said => ({
    language,
    names: sealer.open(payment.id, receipt.names),
    subject: subjectOf(payment),
    description: printable(receipt.description ?? '', hasGlyph),
  });

  service.serve(contract.getReceipt, async ({ params, query, user }) => {
    const payment = await readPayment(db, params.id);
    if (!maySee(payment, user)) throw new ProblemError('not_found');
    const receipt = await findReceipt(db, payment.id);
    if (!receipt) throw notIssued('No money was taken, so there is no receipt', payment.captured > 0);
    const page = receiptPage(receipt, said(payment, receipt, query.language));
    return pdfReply(page, numberOf('R', receipt), receipt.paymentVersion);
  });

  service.serve(contract.getCreditNote, async ({ params, query, user }) => {
    const refund = await readRefund(db, params.id);
    const payment = await readPayment(db, refund.paymentId);
    if (!maySee(payment, user)) throw new ProblemError('not_found');
    const found = await findCreditNote(db, refund.id);
    if (!found) throw notIssued('Nothing was given back, so there is no credit note', refund.status === 'succeeded');
    const page = creditNotePage(found.note, found.receipt, said(payment, found.receipt, query.language));
    return pdfReply(page, numberOf('C', found.note), found.receipt.paymentVersion);
  });
}

/** `isDue`: it will be, and whoever asks after the next sweep may have it. */
function notIssued(otherwise: string, isDue: boolean): ProblemError {
  if (!isDue) return new ProblemError('invalid_state', otherwise);
  return new ProblemError('invalid_state', 'It is being issued', { retryAfterSeconds: SWEEP_EVERY_MS / SECOND });
}

/** Express answers 304 where the client has this version already. */
async function pdfReply(page: Page, number: string, version: number) {
  return {
    ...ok(await pdfOf(page)),
    headers: {
      'content-disposition': `inline; filename="${number}.pdf"`,
      'content-language': page.language,
      etag: `"${number}-${version}-${page.language}-${FORM}"`,
    },
  };
}
