import { fromStripe } from '../../kernel/currencies';
import { grouped } from './grouped';
import type { SandboxState } from './stripe-state';

/** A dispute as payment has it, with what the ledger has posted of it. Amounts are in minor units. */
export interface DisputeRow {
  id: string;
  stripeId: string;
  payment: string;
  status: string;
  currency: string;
  amount: number;
  /** What the bank has taken, less what it has given back. */
  withdrawn: number;
  decided: boolean;
  /** Its saga has noted its end. */
  seen: boolean;
  /** By Stripe's lines in the ledger: the same as `withdrawn`, and Stripe's fees. */
  posted: number;
  fees: number;
  /** By what follows from them: what is decided as lost, what is frozen of the payee's, and from whom it was taken. */
  lost: number;
  frozen: number;
  /** Given up by payee and platform as their shares, or paid to the payer by the bank instead of by us. */
  shared: number;
  /** The platform's loss. */
  losses: number;
}

/** A payment that was taken, and where its money is. What somebody is owed is positive. */
export interface StandingRow {
  id: string;
  captured: number;
  /** As payment has it: what banks have until they decide, and what its payer has by them for good. */
  disputed: number;
  chargedBack: number;
  pending: number;
  payable: number;
  revenue: number;
  frozen: number;
  owed: number;
  /** Gone to the payer by refunds. */
  sent: number;
}

/** What has to agree about disputes. */
export interface DisputeBooks {
  disputes: readonly DisputeRow[];
  payments: readonly StandingRow[];
  /** Balances of the ledger's accounts; what somebody is owed is negative. */
  ledger: readonly { account: string; currency: string; amount: number }[];
  /** How the sagas of the disputes are, by the disputes' ids; left out: there is none. */
  sagas: ReadonlyMap<string, string>;
}

const sum = (amounts: readonly number[]) => amounts.reduce((total, amount) => total + amount, 0);

/** Everything about disputes that does not agree, in sentences. Nothing may go on by itself. */
export function aboutDisputes(books: DisputeBooks, atStripe: SandboxState['disputes']): string[] {
  const byPayment = grouped(books.disputes, ({ payment }) => payment);
  const known = new Set(books.disputes.map(({ stripeId }) => stripeId));
  return [
    ...atStripe.filter(({ id }) => !known.has(id)).map(({ id }) => `${id} at Stripe is no dispute of ours`),
    ...books.disputes.flatMap((row) => [...aboutEnd(row, books, atStripe), ...aboutClaim(row)]),
    ...books.payments.flatMap((payment) => aboutStanding(payment, byPayment.get(payment.id) ?? [])),
    ...aboutAccounts(books),
  ];
}

/** Whether the bank has decided, its saga has seen to that, and Stripe says the same. */
function aboutEnd(row: DisputeRow, { sagas }: DisputeBooks, atStripe: SandboxState['disputes']): string[] {
  const { id, stripeId, status, currency, amount, withdrawn, decided, seen, posted, fees } = row;
  const wrong: string[] = [];
  const expect = (holds: boolean, what: string) => {
    if (!holds) wrong.push(`dispute ${id} (${status}): ${what}`);
  };
  const saga = sagas.get(id) ?? 'not there';
  expect(decided, 'is not decided');
  expect(seen && saga === 'COMPLETED', `its saga is ${saga}, and has ${seen ? '' : 'not '}noted its end`);
  expect(posted === withdrawn, `${withdrawn} are withdrawn, and Stripe's lines in the ledger come to ${posted}`);
  const at = atStripe.find((one) => one.id === stripeId);
  if (!at) return [...wrong, `dispute ${id} (${status}): Stripe has no ${stripeId}`];
  const minor = (moved: number) => fromStripe(moved, currency);
  const lines = at.balance_transactions;
  const [taken, kept] = [0 - minor(sum(lines.map((line) => line.amount))), minor(sum(lines.map((line) => line.fee)))];
  expect(at.status === status && minor(at.amount) === amount, `Stripe says ${at.status} ${minor(at.amount)}`);
  expect(taken === withdrawn, `${withdrawn} are withdrawn, and at Stripe ${taken}`);
  expect(kept === fees, `its fees are ${fees} in the ledger, and at Stripe ${kept}`);
  return wrong;
}

/** What is lost is given up by shares or is the platform's loss; what is not decided is frozen. */
function aboutClaim({ id, status, withdrawn, decided, lost, frozen, shared, losses }: DisputeRow): string[] {
  const should = decided
    ? { lost: withdrawn, frozen: 0, given: withdrawn }
    : { lost: 0, frozen: shared, given: shared + losses };
  const is = { lost, frozen, given: shared + losses };
  const says = ({ lost: gone, frozen: held, given }: typeof is) =>
    `${gone} lost, ${held} frozen, ${given} taken from those who had it`;
  const isOurs = losses >= 0 && (decided || losses === 0);
  return [
    ...(says(is) === says(should)
      ? []
      : [`dispute ${id} (${status}): has ${says(is)}, and should have ${says(should)}`]),
    ...(isOurs ? [] : [`dispute ${id} (${status}): the platform has lost ${losses} by it`]),
  ];
}

/** What was paid is somewhere, nobody has less than nothing of it, and the payment says what its disputes say. */
function aboutStanding(payment: StandingRow, disputes: readonly DisputeRow[]): string[] {
  const { id, captured, disputed, chargedBack, ...where } = payment;
  const lost = sum(disputes.map((row) => row.lost - row.losses));
  const held = sum(disputes.filter(({ decided }) => !decided).map(({ withdrawn }) => withdrawn));
  const pairs: [string, number, number][] = [
    ['where its money is, and what was captured', sum(Object.values(where)) + lost, captured],
    ['disputed, and what banks have until they decide', disputed, held],
    ['charged back, and what its disputes have lost of it', chargedBack, lost],
  ];
  return [
    ...pairs
      .filter(([, ours, theirs]) => ours !== theirs)
      .map(([what, ours, theirs]) => `payment ${id}: ${what}: ${ours} is not ${theirs}`),
    ...Object.entries(where)
      .filter(([, amount]) => amount < 0)
      .map(([name, amount]) => `payment ${id}: ${name} is ${amount}`),
    ...(held === 0 && where.frozen !== 0 ? [`payment ${id}: ${where.frozen} are frozen, and nothing is disputed`] : []),
  ];
}

/** The account of what banks have until they decide, and what is frozen for it. */
function aboutAccounts({ disputes, ledger }: DisputeBooks): string[] {
  const open = disputes.filter(({ decided }) => !decided);
  const of = (which: (account: string) => boolean, currency: string) =>
    sum(ledger.filter((row) => which(row.account) && row.currency === currency).map(({ amount }) => amount));
  const currencies = new Set([...disputes, ...ledger].map(({ currency }) => currency));
  return [...currencies].flatMap((currency) => {
    const here = open.filter((row) => row.currency === currency);
    const pairs: [string, number, number][] = [
      ['disputed', of((account) => account === 'disputed', currency), sum(here.map(({ withdrawn }) => withdrawn))],
      [
        'tutor_frozen of all',
        0 - of((account) => account.startsWith('tutor_frozen:'), currency),
        sum(here.map(({ frozen }) => frozen)),
      ],
    ];
    return pairs
      .filter(([, is, should]) => is !== should)
      .map(([account, is, should]) => `${account} is ${is} ${currency}, and what is not decided comes to ${should}`);
  });
}

/** How the disputes ended, with how many. */
export function disputeEnds({ disputes }: DisputeBooks): Map<string, number> {
  const endOf = ({ status, withdrawn }: DisputeRow) => (status === 'won' && withdrawn > 0 ? 'partly won' : status);
  return new Map([...grouped(disputes, endOf)].map(([end, all]) => [end, all.length]));
}
