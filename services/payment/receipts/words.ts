import { inUnits, type Money } from '../../../kernel/money';
import type { Subject } from '../../../kernel/payment-subject';
import type { ReceiptLanguage } from '../../../kernel/receipt-language';
import type { Page } from './pdf';
import { numberOf, type ReceiptNames } from './rules';
import type { CreditNoteRow, ReceiptRow } from './store';

// What receipts and credit notes say, in each language. A change of it is a new form: see `FORM`.

/** Counted up with every change of what stands on a page or how: what somebody keeps by its ETag is asked for anew then. */
export const FORM = 1;

interface Words {
  receipt: string;
  creditNote: string;
  number: string;
  issued: string;
  paid: string;
  payer: string;
  payee: string;
  formerMember: string;
  about: string;
  session: string;
  direct: string;
  booking: string;
  payment: string;
  amount: string;
  fee: string;
  share: string;
  tax: string;
  noTax: string;
  ofReceipt: string;
  refund: string;
  refunded: string;
  closing: string;
  decimalPoint: string;
}

const WORDS: Record<ReceiptLanguage, Words> = {
  en: {
    receipt: 'Receipt',
    creditNote: 'Credit note',
    number: 'Number',
    issued: 'Date of issue',
    paid: 'Date of payment',
    payer: 'Paid by',
    payee: 'Paid to',
    formerMember: 'A former member',
    about: 'For',
    session: 'Tutoring session',
    direct: 'Direct payment',
    booking: 'Booking',
    payment: 'Payment',
    amount: 'Amount paid',
    fee: 'of it platform fee',
    share: 'of it to the payee',
    tax: 'VAT',
    noTax: 'Not shown. Whoever is paid answers for taxes on it.',
    ofReceipt: 'Of receipt',
    refund: 'Refund',
    refunded: 'Amount given back',
    closing: 'Issued by TutorConnect. Days are those of UTC.',
    decimalPoint: '.',
  },
  de: {
    receipt: 'Zahlungsbeleg',
    creditNote: 'Erstattungsbeleg',
    number: 'Nummer',
    issued: 'Ausgestellt am',
    paid: 'Bezahlt am',
    payer: 'Bezahlt von',
    payee: 'Bezahlt an',
    formerMember: 'Ein ehemaliges Mitglied',
    about: 'Wofür',
    session: 'Unterrichtsstunde',
    direct: 'Direkte Zahlung',
    booking: 'Buchung',
    payment: 'Zahlung',
    amount: 'Bezahlter Betrag',
    fee: 'davon Plattformgebühr',
    share: 'davon für den Empfänger',
    tax: 'Umsatzsteuer',
    noTax: 'Nicht ausgewiesen. Für Steuern darauf ist zuständig, wer bezahlt wurde.',
    ofReceipt: 'Zum Zahlungsbeleg',
    refund: 'Erstattung',
    refunded: 'Erstatteter Betrag',
    closing: 'Ausgestellt von TutorConnect. Tage sind die der Weltzeit (UTC).',
    decimalPoint: ',',
  },
};

/** What is printed of a receipt beside its row. `description`: null where there is none, or none that can be printed. */
export interface Said {
  language: ReceiptLanguage;
  names: ReceiptNames;
  subject: Subject;
  description: string | null;
}

/** The page of a receipt. */
export function receiptPage(receipt: ReceiptRow, said: Said): Page {
  const { language } = said;
  const words = WORDS[language];
  const { currency, amount, fee, issuedAt } = receipt;
  const shown = (minor: number) => moneyIn(words, { amount: minor, currency });
  const number = numberOf('R', receipt);
  return {
    ...{ language, issuedAt, title: `${words.receipt} ${number}`, closing: words.closing },
    groups: [
      [
        [words.number, number],
        [words.issued, dayIn(language, issuedAt)],
        [words.paid, dayIn(language, receipt.paidAt)],
      ],
      parties(words, said.names),
      about(words, receipt, said),
      [
        [words.amount, shown(amount)],
        [words.fee, shown(fee)],
        [words.share, shown(amount - fee)],
        [words.tax, words.noTax],
      ],
    ],
  };
}

/** The page of a credit note. */
export function creditNotePage(note: CreditNoteRow, receipt: ReceiptRow, said: Said): Page {
  const { language } = said;
  const words = WORDS[language];
  const { issuedAt } = note;
  const number = numberOf('C', note);
  return {
    ...{ language, issuedAt, title: `${words.creditNote} ${number}`, closing: words.closing },
    groups: [
      [
        [words.number, number],
        [words.issued, dayIn(language, issuedAt)],
        [words.ofReceipt, numberOf('R', receipt)],
      ],
      parties(words, said.names),
      [...about(words, receipt, said), [words.refund, note.refundId]],
      [
        [words.refunded, moneyIn(words, note)],
        [words.tax, words.noTax],
      ],
    ],
  };
}

function parties(words: Words, { payer, payee }: ReceiptNames): [string, string][] {
  return [
    [words.payer, payer ?? words.formerMember],
    [words.payee, payee ?? words.formerMember],
  ];
}

function about(words: Words, { paymentId }: ReceiptRow, { subject, description }: Said): [string, string][] {
  const isBooking = subject.kind === 'booking';
  return [
    [words.about, description ?? (isBooking ? words.session : words.direct)],
    ...(isBooking ? [[words.booking, subject.id] satisfies [string, string]] : []),
    [words.payment, paymentId],
  ];
}

/** `48.00 EUR`, the currency by its code: it means the same to everybody, and the same on every machine. */
function moneyIn({ decimalPoint }: Words, money: Money): string {
  return `${inUnits(money).replace('.', decimalPoint)} ${money.currency}`;
}

const MONTHS: Record<ReceiptLanguage, readonly string[]> = {
  en: [
    'January',
    'February',
    'March',
    'April',
    'May',
    'June',
    'July',
    'August',
    'September',
    'October',
    'November',
    'December',
  ],
  de: [
    'Januar',
    'Februar',
    'März',
    'April',
    'Mai',
    'Juni',
    'Juli',
    'August',
    'September',
    'Oktober',
    'November',
    'Dezember',
  ],
};

/** A day of UTC, with its month as a word. Not by Intl, whose words may be others after an update: the bytes would be too. */
function dayIn(language: ReceiptLanguage, at: Date): string {
  const dot = language === 'de' ? '.' : '';
  return `${at.getUTCDate()}${dot} ${MONTHS[language][at.getUTCMonth()]} ${at.getUTCFullYear()}`;
}
