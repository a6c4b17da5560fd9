/** The languages in which receipts and credit notes are written. */
export const RECEIPT_LANGUAGES = ['en', 'de'] as const;

export type ReceiptLanguage = (typeof RECEIPT_LANGUAGES)[number];
