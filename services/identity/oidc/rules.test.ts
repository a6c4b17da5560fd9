import { accountOf, type Claims, canUnlink, decideUnknown } from './rules';

const claims: Claims = {
  ...{ issuer: 'https://idp.example', subject: '1', email: 'ada@example.com', emailVerified: true },
  ...{ firstName: 'Ada', lastName: 'Lovelace' },
};
const owner = { status: 'active', emailVerifiedAt: new Date(), isLinked: false } as const;

test.each([
  ['a sign-up that may have come to nothing has it', claims, { ...owner, status: 'pending' as const }, 'sign_up'],
  ['both have proven it', claims, owner, 'link'],
  ['its account has not proven it', claims, { ...owner, emailVerifiedAt: null }, 'link_required'],
  ['the provider has not proven it', { ...claims, emailVerified: false }, owner, 'link_required'],
  ['its account has another sign-in there', claims, { ...owner, isLinked: true }, 'link_required'],
])('an unknown sign-in where %s', (_, said, has, decision) => {
  expect(decideUnknown(said, has)).toBe(decision);
});

test('an account is made of what the provider says, then of what the person says', () => {
  const all = { role: 'tutor', email: 'typed@example.com', firstName: 'A', lastName: 'L' } as const;
  expect(accountOf(claims, all)).toEqual({
    ...{ role: 'tutor', email: 'ada@example.com', firstName: 'Ada', lastName: 'Lovelace', isEmailProven: true },
  });
  const silent = { ...claims, email: null, emailVerified: false, firstName: null, lastName: null };
  expect(accountOf(silent, all)).toEqual({ ...all, isEmailProven: false });
  expect(accountOf(silent, {})).toEqual({ needs: ['role', 'email', 'firstName', 'lastName'] });
  expect(accountOf(claims, {})).toEqual({ needs: ['role'] });
});

test.each([
  [{ hasPassword: false, identities: 1 }, false],
  [{ hasPassword: false, identities: 2 }, true],
  [{ hasPassword: true, identities: 1 }, true],
])('with %j one can be unlinked: %s', (ways, may) => {
  expect(canUnlink(ways)).toBe(may);
});
