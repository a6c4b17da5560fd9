import { loadConfig } from './config';
import { readPayoutMinimums } from './payout-minimums';

function read(settings: Record<string, string>) {
  const problems: string[] = [];
  const minimums = Object.fromEntries(readPayoutMinimums(settings, problems));
  return { minimums, problems };
}

test('are amounts in whole units of each currency that is named', () => {
  const settings = {
    PAYOUT_MINIMUM_EUR: '25',
    PAYOUT_MINIMUM_USD: '12.5',
    PAYOUT_MINIMUM_JPY: '3000',
    PAYOUT_MINIMUM_KWD: '1.25',
  };
  const minimums = { EUR: 2_500, USD: 1_250, JPY: 3_000, KWD: 1_250 };
  expect(read(settings)).toEqual({ minimums, problems: [] });
  expect(read({ PAYOUT_MINIMUM_EUR: '', PORT: '1' })).toEqual({ minimums: {}, problems: [] });
});

test.each([
  ['PAYOUT_MINIMUM_XXX', '10', 'names a currency that Stripe does not charge in'],
  ['PAYOUT_MINIMUM_EUR', '0', 'at most 2 decimals'],
  ['PAYOUT_MINIMUM_EUR', '1.234', 'at most 2 decimals'],
  ['PAYOUT_MINIMUM_JPY', '10.5', 'at most 0 decimals'],
  ['PAYOUT_MINIMUM_EUR', 'ten', 'must be an amount above zero'],
])('%s=%s is refused: %s', (name, value, because) => {
  const { minimums, problems } = read({ [name]: value });
  expect([minimums, problems]).toEqual([{}, [expect.stringContaining(`${name} `)]]);
  expect(problems[0]).toContain(because);
});

test('come from the environment as every other setting does', () => {
  const environment = { SERVICE_TOKEN_SECRET: 's'.repeat(32), PAYOUT_MINIMUM_GBP: '15' };
  expect(Object.fromEntries(loadConfig(environment, 'none').payoutMinimums)).toEqual({ GBP: 1_500 });
  expect(() => loadConfig({ ...environment, PAYOUT_MINIMUM_GBP: '-1' }, 'none')).toThrow('PAYOUT_MINIMUM_GBP must be');
});
