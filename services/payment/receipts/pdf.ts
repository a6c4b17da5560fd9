import PDFDocument from 'pdfkit';
import type { ReceiptLanguage } from '../../../kernel/receipt-language';
import { FONT } from './font';

/** A page with a title and lines of label and value, in groups. */
export interface Page {
  language: ReceiptLanguage;
  title: string;
  groups: [label: string, value: string][][];
  closing: string;
  /** Its date of creation, which is said in its data too. */
  issuedAt: Date;
}

const A4_WIDTH = 595.28; // points
const MARGIN = 64;
const LABEL_WIDTH = 150;
const GROUP_GAP = 18;
const LINE_GAP = 6;
const SIZES = { title: 20, text: 10.5, closing: 9 }; // points

/** The page as PDF/A-2b, with its font in it. The same page has the same bytes: nothing in it is drawn at random or of the moment. */
export async function pdfOf({ language, title, groups, closing, issuedAt }: Page): Promise<Buffer> {
  const document = new PDFDocument({
    size: 'A4',
    margin: MARGIN,
    pdfVersion: '1.7',
    subset: 'PDF/A-2b',
    lang: language,
    displayTitle: true,
    // Instead of Helvetica, which would be there without being in the file.
    font: '',
    info: { Title: title, Author: 'TutorConnect', CreationDate: issuedAt, ModDate: issuedAt },
  });
  const chunks: Buffer[] = [];
  document.on('data', (chunk: Buffer) => chunks.push(chunk));
  const ended = new Promise<void>((resolve, reject) => {
    document.on('end', resolve);
    document.on('error', reject);
  });

  document.font(FONT).fontSize(SIZES.title).text(title).moveDown(1).fontSize(SIZES.text);
  const valueAt = MARGIN + LABEL_WIDTH;
  const valueWidth = A4_WIDTH - MARGIN - valueAt;
  for (const group of groups) {
    for (const [label, value] of group) {
      const top = document.y;
      document.text(label, MARGIN, top, { width: LABEL_WIDTH - LINE_GAP });
      const below = document.y;
      document.text(value, valueAt, top, { width: valueWidth });
      document.y = Math.max(below, document.y) + LINE_GAP;
    }
    document.y += GROUP_GAP;
  }
  document.fontSize(SIZES.closing).text(closing, MARGIN, document.y, { width: A4_WIDTH - 2 * MARGIN });
  document.end();
  await ended;
  return Buffer.concat(chunks);
}
