import { deriveKey, seal, unseal } from './sealing';

const key = deriveKey('a secret of the platform', 'identity/signing-keys');

test('a sealed text opens with its key and label only, and not when a bit of it changed', () => {
  const sealed = seal(key, 'kid-1', 'private');
  expect(unseal(key, 'kid-1', sealed)).toBe('private');
  expect(unseal(deriveKey('another secret', 'identity/signing-keys'), 'kid-1', sealed)).toBeUndefined();
  expect(unseal(deriveKey('a secret of the platform', 'other'), 'kid-1', sealed)).toBeUndefined();
  expect(unseal(key, 'kid-2', sealed)).toBeUndefined();
  expect(unseal(key, 'kid-1', { ...sealed, ciphertext: seal(key, 'kid-1', 'PRIVATE').ciphertext })).toBeUndefined();
  expect(unseal(key, 'kid-1', { ...sealed, tag: sealed.tag.slice(0, 6) })).toBeUndefined();
  expect(JSON.stringify(sealed)).not.toContain('private');
});

test('sealing the same text twice gives different ciphertexts', () => {
  expect(seal(key, 'kid', 'private')).not.toEqual(seal(key, 'kid', 'private'));
});
