/**
 * A card as its holder typed it, which only browsers may send. Its number is turned into the test card's token at once: neither it nor
 * the security code is kept or logged. See https://docs.stripe.com/api/payment_methods/create and https://docs.stripe.com/error-codes
 */
import { StripeProblem } from '../memory/errors';
import type { Tx } from '../memory/unit-of-work';
import type { KeyKind } from '../wire/endpoint';
import { cardWithNumber } from './test-cards';

interface TypedCard {
  number: string;
  exp_month: number;
  exp_year: number;
  cvc?: string | undefined;
}

function wrong(code: string, param: string, what: string): StripeProblem {
  const message = `Your card's ${what}.`;
  return new StripeProblem(402, { type: 'card_error', code, message, param }, { executed: true });
}

/** Every number of a card passes it; a mistyped one seldom does. See https://www.iso.org/standard/70484.html */
function passesLuhn(number: string): boolean {
  const sum = [...number].toReversed().reduce((total, digit, place) => {
    const value = Number(digit) * (place % 2 === 0 ? 1 : 2);
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  return /^\d{12,19}$/.test(number) && sum % 10 === 0;
}

/**
 * The test card that was typed.
 * @throws StripeProblem 402 for a server, which is not to see numbers; `incorrect_number`, `invalid_expiry_month`, `invalid_expiry_year`,
 *   `invalid_cvc`; `card_declined` for a card that is none of Stripe's for tests
 */
export function typedCard(tx: Tx, key: KeyKind, card: TypedCard) {
  if (key === 'secret') {
    const message =
      'Sending credit card numbers directly to the Stripe API is generally unsafe. We suggest you use test tokens that map to the test card you are using, see https://stripe.com/docs/testing. To enable raw card data APIs in test mode, see https://support.stripe.com/questions/enabling-access-to-raw-card-data-apis.';
    throw new StripeProblem(402, { type: 'card_error', message }, { executed: false });
  }
  const number = card.number.replaceAll(/[ -]/g, '');
  if (!passesLuhn(number)) {
    const message = 'Your card number is incorrect.';
    const fields = { type: 'card_error' as const, code: 'incorrect_number', message, param: 'number' };
    throw new StripeProblem(402, fields, { executed: true });
  }
  requireNotExpired(tx, card);
  const found = cardWithNumber(number);
  const digits = found?.card.brand === 'amex' ? /^\d{3,4}$/ : /^\d{3}$/;
  if (card.cvc !== undefined && !digits.test(card.cvc)) throw wrong('invalid_cvc', 'cvc', 'security code is invalid');
  if (found !== undefined) return found;
  throw new StripeProblem(
    402,
    {
      type: 'card_error',
      code: 'card_declined',
      decline_code: 'test_mode_live_card',
      message: 'Your card was declined. Your request was in test mode, but used a non test (live) card.',
    },
    { executed: true },
  );
}

function requireNotExpired(tx: Tx, { exp_month: month, exp_year: year }: TypedCard): void {
  const now = new Date(tx.unit.now);
  const thisYear = now.getUTCFullYear();
  if (month < 1 || month > 12) throw wrong('invalid_expiry_month', 'exp_month', 'expiration month is invalid');
  if (year < thisYear || year > thisYear + 50) {
    throw wrong('invalid_expiry_year', 'exp_year', 'expiration year is invalid');
  }
  if (year === thisYear && month < now.getUTCMonth() + 1) {
    throw wrong('invalid_expiry_month', 'exp_month', 'expiration month is invalid');
  }
}
