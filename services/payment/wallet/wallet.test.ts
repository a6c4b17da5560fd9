import { uuidv7 } from '../../../platform/ids';
import {
  chargeBooking,
  newBooking,
  type Paid,
  type PaymentStack,
  refundsAt,
  startPaymentStack,
} from '../../../tests/support/payment';
import type { Reply } from '../../../tests/support/service';

jest.setTimeout(30_000);

let stack: PaymentStack;
beforeAll(async () => {
  stack = await startPaymentStack();
});
afterAll(() => stack.close());

const { release, refunded, share } = refundsAt(() => stack);

/** Somebody who is paid, and what they see. */
async function payee() {
  const id = uuidv7();
  const token = await stack.service.userToken({ id, role: 'tutor' });
  const see = (path: string): Promise<Reply> => stack.service.ask('GET', path, { token });
  return {
    id,
    see,
    balances: async () => (await see('/api/wallet')).body.balances,
    async paid(amount: number, currency = 'EUR'): Promise<Paid> {
      const booking = { ...newBooking(), payeeId: id };
      const { body } = await chargeBooking(stack, booking, { amount, currency });
      return { ...booking, paymentId: body.paymentId };
    },
  };
}

const balance = (change: object) => ({
  ...{
    currency: 'EUR',
    pending: 0,
    payable: 0,
    debt: 0,
    frozen: 0,
    inPayout: 0,
    paidOut: 0,
    minimum: 1_000,
    nextPayableAt: null,
  },
  ...change,
});
const inTwoDays = () => new Date(Date.now() + 2 * 86_400_000).toISOString();

describe('a wallet', () => {
  test('of somebody who has earned nothing is empty', async () => {
    const { balances, see } = await payee();
    expect(await balances()).toEqual([]);
    expect((await see('/api/wallet/entries')).body).toEqual({ items: [], nextCursor: null });
  });

  test('says what is pending, from when on it can be paid out, and what can be paid out already', async () => {
    const { balances, paid } = await payee();
    const [first, second, third] = [await paid(4_000), await paid(2_000), await paid(1_000)];
    expect(await balances()).toEqual([balance({ pending: 5_950 })]);
    const [soon, later] = [inTwoDays(), new Date(Date.now() + 3 * 86_400_000).toISOString()];
    await release(first);
    await release(second, later);
    await release(third, soon);
    expect(await balances()).toEqual([balance({ pending: 2_550, payable: 3_400, nextPayableAt: soon })]);
    await refunded(third, null);
    expect(await balances()).toEqual([balance({ pending: 1_700, payable: 3_400, nextPayableAt: later })]);
  });

  test('keeps currencies apart', async () => {
    const { balances, paid } = await payee();
    await release(await paid(1_000, 'GBP'));
    await paid(2_000);
    expect(await balances()).toEqual([balance({ pending: 1_700 }), balance({ currency: 'GBP', payable: 850 })]);
  });

  test('is its owner’s alone', async () => {
    const { paid } = await payee();
    await paid(1_000);
    const other = await payee();
    expect(await other.balances()).toEqual([]);
    expect((await other.see('/api/wallet/entries')).body.items).toEqual([]);
    expect((await stack.service.ask('GET', '/api/wallet')).status).toBe(401);
  });
});

describe('what moved it', () => {
  test('is listed, the newest first, with what there was after it; that something becomes payable moves nothing', async () => {
    const { see, paid } = await payee();
    const first = await paid(4_000);
    const second = await paid(1_000);
    await share(first, 50);
    await release(first);
    const { body } = await see('/api/wallet/entries');
    expect(body.nextCursor).toBeNull();
    const of = ({ paymentId, bookingId }: Paid) => ({ paymentId, bookingId, currency: 'EUR' });
    expect(body.items).toEqual([
      expect.objectContaining({ ...of(first), kind: 'refunded', amount: -1_700, balanceAfter: 2_550 }),
      expect.objectContaining({ ...of(second), kind: 'earned', amount: 850, balanceAfter: 4_250 }),
      expect.objectContaining({ ...of(first), kind: 'earned', amount: 3_400, balanceAfter: 3_400 }),
    ]);
  });

  test('comes page by page, each once, with the same balances as at once', async () => {
    const { see, paid } = await payee();
    for (const amount of [1_000, 2_000, 3_000, 4_000, 5_000]) await paid(amount);
    const all = (await see('/api/wallet/entries')).body.items;
    const pages: unknown[] = [];
    let cursor: string | null = null;
    do {
      const { body }: Reply = await see(`/api/wallet/entries?limit=2${cursor ? `&cursor=${cursor}` : ''}`);
      pages.push(...body.items);
      cursor = body.nextCursor;
    } while (cursor);
    expect(pages).toEqual(all);
    expect(all).toHaveLength(5);
    const refused = await see('/api/wallet/entries?cursor=bm9uZQ');
    expect(refused).toMatchObject({ status: 422, body: { errors: [{ path: 'query.cursor' }] } });
  });

  test('comes as a table too, the oldest first', async () => {
    const { id, see, paid } = await payee();
    const first = await paid(4_000);
    await paid(1_000, 'GBP');
    await share(first, 50);
    const token = await stack.service.userToken({ id, role: 'tutor' });
    const { status, headers, body } = await stack.service.ask('GET', '/api/wallet/entries.csv?currency=EUR', { token });
    expect([status, headers['content-type']]).toEqual([200, 'text/csv; charset=utf-8']);
    const lines = String(body).trimEnd().split('\r\n').slice(1);
    expect(lines.map((line) => line.split(',').slice(1, 5))).toEqual([
      ['earned', 'EUR', '34.00', '34.00'],
      ['refunded', 'EUR', '-17.00', '17.00'],
    ]);
    expect((await see('/api/wallet/entries.csv?limit=1')).status).toBe(422);
    expect((await stack.service.ask('GET', '/api/wallet/entries.csv')).status).toBe(401);
  });

  test('is chosen by currency and time, and balances count what was not chosen', async () => {
    const { see, paid } = await payee();
    await paid(1_000);
    await paid(1_000, 'GBP');
    await paid(2_000);
    const amounts = async (query: string) =>
      (await see(`/api/wallet/entries?${query}`)).body.items.map(({ amount, balanceAfter }: Record<string, number>) => [
        amount,
        balanceAfter,
      ]);
    expect(await amounts('currency=GBP')).toEqual([[850, 850]]);
    const { items } = (await see('/api/wallet/entries?currency=EUR')).body;
    const { at } = items[0];
    expect(await amounts(`currency=EUR&from=${at}`)).toEqual([[1_700, 2_550]]);
    expect(await amounts(`currency=EUR&to=${at}`)).toEqual([[850, 850]]);
  });
});
