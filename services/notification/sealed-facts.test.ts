import { sampleMessage } from '../../tests/support/notifications';
import { createFactsSealer } from './sealed-facts';

const sealer = createFactsSealer({ NOTIFICATION_KEY_SECRET: 'the secret of notification in this test' });
const message = sampleMessage('welcome_verify_email');

test('a sealed message opens again for its business key alone, and shows nothing of itself', () => {
  const facts = sealer.seal('key', message);
  expect(JSON.stringify(facts)).not.toMatch(/Grace|grace@example\.com|verify/);
  expect(sealer.open('key', facts)).toEqual(message);
  expect(() => sealer.open('another key', facts)).toThrow('cannot be opened');
});

test('what was sealed with another secret says so and does not open', () => {
  const other = createFactsSealer({ NOTIFICATION_KEY_SECRET: 'the secret of notification after a change' });
  const facts = sealer.seal('key', message);
  expect(facts.keyId).toBe(sealer.keyId);
  expect(other.keyId).not.toBe(sealer.keyId);
  expect(() => other.open('key', facts)).toThrow('cannot be opened');
});

test('without a secret the start is refused, with what to do', () => {
  expect(() => createFactsSealer({ NOTIFICATION_KEY_SECRET: undefined })).toThrow(
    'notification has no NOTIFICATION_KEY_SECRET, which unsent mails are encrypted with: set it to 32 or more random characters',
  );
});
