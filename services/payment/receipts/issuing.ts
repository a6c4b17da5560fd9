import { inTurn } from '../../../platform/in-turn';
import type { IssueReceipt } from '../contract';
import type { Till } from '../till';
import { hasGlyph } from './font';
import { languageOf, printedName } from './rules';
import type { NameSealer } from './sealed-names';
import { dueCreditNotes, issueCreditNote, issueReceipt } from './store';

/** So many credit notes one call issues; the next goes on. */
const MOST_CREDIT_NOTES = 100;

/**
 * Issues the receipt of a payment to these people, once. Only what will be printed of their names is kept, and that sealed.
 * @returns whether it was issued now @throws ProblemError not_found, invalid_state
 */
export async function issue(
  { db }: Pick<Till, 'db'>,
  sealer: NameSealer,
  paymentId: string,
  { payer, payee, locale }: IssueReceipt,
): Promise<boolean> {
  const names = { payer: printedName(payer, hasGlyph), payee: printedName(payee, hasGlyph) };
  return issueReceipt(db, paymentId, { names: sealer.seal(paymentId, names), language: languageOf(locale) });
}

/**
 * Issues the credit notes that are due. @returns how many
 * @throws the first failure that asking again does not mend, once all others have had their turn
 */
export async function issueCreditNotes({ db }: Pick<Till, 'db'>): Promise<number> {
  let issued = 0;
  const { failures } = await inTurn(await dueCreditNotes(db, MOST_CREDIT_NOTES), async (refundId) => {
    if (await issueCreditNote(db, refundId)) issued += 1;
  });
  if (failures.length > 0) throw failures[0];
  return issued;
}
