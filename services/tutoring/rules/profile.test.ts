import { refusal } from '../../../tests/support/tutors';
import { certificationErrors, profileErrors, spelledSubject } from './profile';

describe('profiles', () => {
  test('a subject or language that is listed twice is refused, whatever its case or width', () => {
    const errors = profileErrors({ subjects: ['Maths', 'Physics', 'MATHS'], languages: ['de', 'ｄｅ'] });
    expect(errors.map(({ path }) => path)).toEqual(['subjects.2', 'languages.1']);
    expect(profileErrors({})).toEqual([]);
  });

  test('an education or a certification does not end before it begins', () => {
    const school = { institution: 'School', degree: 'Leaving certificate' };
    const education = [
      { ...school, startYear: 2010, endYear: 2009 },
      { ...school, endYear: 2009 },
      { ...school, startYear: 2009, endYear: 2009 },
    ];
    expect(profileErrors({ education }).map(({ path }) => path)).toEqual(['education.0.endYear']);
    const issued = { name: 'C2', issuer: 'Institute', issuedOn: '2020-05-05' };
    expect(certificationErrors({ ...issued, expiresOn: '2020-05-04' }).map(({ path }) => path)).toEqual(['expiresOn']);
    expect(certificationErrors({ ...issued, expiresOn: '2020-05-05' })).toEqual([]);
    expect(certificationErrors(issued)).toEqual([]);
  });

  test("the tutor's own spelling of a subject wins", () => {
    expect(spelledSubject(['Algebra', 'Über-Physik'], 'über-PHYSIK')).toBe('Über-Physik');
    expect(refusal(() => spelledSubject(['Algebra'], 'Physics'))).toEqual({
      code: 'validation_failed',
      paths: ['subject'],
    });
  });
});
