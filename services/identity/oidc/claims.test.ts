import { claimsIn, joined } from './claims';

const nothing = { email: null, emailVerified: false, firstName: null, lastName: null };

test.each([
  [{ email: 'ada@example.com', email_verified: true }, true],
  [{ email: 'ada@example.com', email_verified: 'true' }, false],
  [{ email: 'ada@example.com', email_verified: 'false' }, false],
  [{ email: 'ada@example.com' }, false],
  [{ email: 'no address', email_verified: true }, false],
  [{ email_verified: true }, false],
])('of %j the address is proven: %s', (answer, isProven) => {
  expect(claimsIn(answer).emailVerified).toBe(isProven);
});

test('what cannot be used counts as not said', () => {
  expect(claimsIn({ email: 7, given_name: ['Ada'], family_name: ' ', name: 'Ada Lovelace' })).toEqual(nothing);
  expect(claimsIn({})).toEqual(nothing);
});

test('an address is as proven as the answer says that says it', () => {
  const [ada, other] = [
    { email: 'ada@example.com', email_verified: false, given_name: 'Ada' },
    { email: 'other@example.com', email_verified: true, given_name: 'Other', family_name: 'Lovelace' },
  ].map(claimsIn);
  if (!ada || !other) throw new Error('two were made');
  expect(joined(ada, other)).toEqual({
    ...{ email: 'ada@example.com', emailVerified: false, firstName: 'Ada', lastName: 'Lovelace' },
  });
  expect(joined(nothing, other)).toMatchObject({ email: 'other@example.com', emailVerified: true });
});
