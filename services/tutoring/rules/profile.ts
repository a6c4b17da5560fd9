import type { FieldError } from '../../../kernel/errors';
import type { CertificationBody, ProfilePatch } from '../contract';
import { refuse } from './fields';
import { searchKey } from './search';

/** Subjects and languages that are listed twice, in whatever case, and an education that ends before it starts. */
export function profileErrors({ subjects = [], languages = [], education = [] }: ProfilePatch): FieldError[] {
  return [
    ...repetitions('subjects', subjects),
    ...repetitions('languages', languages),
    ...education.flatMap(({ startYear, endYear }, index) =>
      startYear && endYear && endYear < startYear
        ? [{ path: `education.${index}.endYear`, message: 'must not be before startYear' }]
        : [],
    ),
  ];
}

function repetitions(path: string, names: string[]): FieldError[] {
  const keys = names.map(searchKey);
  return keys.flatMap((key, index) =>
    keys.indexOf(key) < index ? [{ path: `${path}.${index}`, message: 'is listed twice' }] : [],
  );
}

/** A certification that expires before it was issued. */
export function certificationErrors({ issuedOn, expiresOn }: CertificationBody): FieldError[] {
  return issuedOn && expiresOn && expiresOn < issuedOn
    ? [{ path: 'expiresOn', message: 'must not be before issuedOn' }]
    : [];
}

/**
 * The tutor's own spelling of `wanted`, found in any case.
 * @throws ProblemError validation_failed when it is not one of the subjects
 */
export function spelledSubject(subjects: string[], wanted: string): string {
  const spelled = subjects.find((subject) => searchKey(subject) === searchKey(wanted));
  return spelled ?? refuse([{ path: 'subject', message: 'is not one of the subjects of the tutor' }]);
}
