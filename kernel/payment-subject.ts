/**
 * What a payment can be for. `direct`: for nothing that the platform knows of, so that such a payment is its own subject. A new kind is
 * added here; the compiler then asks for it in every table that must know it.
 */
export const SUBJECT_KINDS = ['booking', 'direct'] as const;
export type SubjectKind = (typeof SUBJECT_KINDS)[number];

/** What a payment is for. One payment at most is ever made for it. */
export interface Subject {
  kind: SubjectKind;
  id: string;
}
