import { aboutDisputes, type DisputeBooks, type DisputeRow, disputeEnds, type StandingRow } from './disputes';
import type { SandboxState } from './stripe-state';

type AtStripe = SandboxState['disputes'];

/** Lost: all of 1000, of which the payee had 850. */
const dispute = (more: Partial<DisputeRow> = {}): DisputeRow => ({
  ...{ id: 'd', stripeId: 'du_1', payment: 'p', status: 'lost', currency: 'EUR', amount: 1_000, withdrawn: 1_000 },
  ...{ decided: true, seen: true, posted: 1_000, fees: 2_000, lost: 1_000, frozen: 0, shared: 1_000, losses: 0 },
  ...more,
});
const standing = (more: Partial<StandingRow> = {}): StandingRow => ({
  ...{ id: 'p', captured: 1_000, disputed: 0, chargedBack: 1_000 },
  ...{ pending: 0, payable: 0, revenue: 0, frozen: 0, owed: 0, sent: 0 },
  ...more,
});
const atStripe = (more: Partial<AtStripe[number]> = {}): AtStripe => [
  {
    ...{ id: 'du_1', charge: 'ch_1', status: 'lost', amount: 1_000, currency: 'eur' },
    ...{ evidence: { uncategorized_text: null }, evidence_details: { submission_count: 0 } },
    balance_transactions: [{ amount: -1_000, fee: 2_000 }],
    ...more,
  },
];
const books = (more: Partial<DisputeBooks> = {}): DisputeBooks => ({
  ...{ disputes: [dispute()], payments: [standing()], ledger: [{ account: 'disputed', currency: 'EUR', amount: 0 }] },
  sagas: new Map([['d', 'COMPLETED']]),
  ...more,
});

const WON = { status: 'won', withdrawn: 0, posted: 0, lost: 0, shared: 0 };
const WON_AT_STRIPE = {
  status: 'won',
  balance_transactions: [
    { amount: -1_000, fee: 2_000 },
    { amount: 1_000, fee: 0 },
  ],
};
const OPEN = { status: 'needs_response', decided: false, seen: false, lost: 0, frozen: 850, shared: 850 };
const HELD: DisputeBooks['ledger'] = [
  { account: 'disputed', currency: 'EUR', amount: 1_000 },
  { account: 'tutor_frozen:ada', currency: 'EUR', amount: -850 },
];
const UNDECIDED = books({
  disputes: [dispute(OPEN)],
  payments: [standing({ disputed: 1_000, chargedBack: 0, frozen: 850, revenue: 150 })],
  ledger: HELD,
});

test.each<[string, DisputeBooks, AtStripe]>([
  ['was lost', books(), atStripe()],
  [
    'was won',
    books({ disputes: [dispute(WON)], payments: [standing({ chargedBack: 0, payable: 850, revenue: 150 })] }),
    atStripe(WON_AT_STRIPE),
  ],
  [
    'was lost beyond what was left',
    books({
      disputes: [dispute({ shared: 400, losses: 600 })],
      payments: [standing({ chargedBack: 400, sent: 600 })],
    }),
    atStripe(),
  ],
  [
    'came to nothing, an inquiry',
    books({
      disputes: [dispute({ ...WON, status: 'warning_closed', fees: 0 })],
      payments: [standing({ chargedBack: 0, pending: 850, revenue: 150 })],
    }),
    atStripe({ status: 'warning_closed', balance_transactions: [] }),
  ],
])('a dispute that %s is sound', (_, rows, stripe) => {
  expect(aboutDisputes(rows, stripe)).toEqual([]);
});

test('of one that is not decided all is where it should be, but that it is not decided', () => {
  expect(aboutDisputes(UNDECIDED, atStripe({ status: 'needs_response' }))).toEqual([
    'dispute d (needs_response): is not decided',
    'dispute d (needs_response): its saga is COMPLETED, and has not noted its end',
  ]);
});

/** What is planted into what is sound, and the sentence that tells of it. */
test.each<[string, DisputeBooks, AtStripe, string]>([
  ['Stripe has decided otherwise', books(), atStripe({ status: 'won' }), 'dispute d (lost): Stripe says won 1000'],
  ['another amount is claimed', books(), atStripe({ amount: 7 }), 'dispute d (lost): Stripe says lost 7'],
  [
    'money came back of which nothing is recorded',
    books(),
    atStripe({ ...WON_AT_STRIPE, status: 'lost' }),
    'dispute d (lost): 1000 are withdrawn, and at Stripe 0',
  ],
  [
    'a fee is not posted',
    books({ disputes: [dispute({ fees: 0 })] }),
    atStripe(),
    'dispute d (lost): its fees are 0 in the ledger, and at Stripe 2000',
  ],
  [
    'a line of Stripe’s books was posted twice',
    books({ disputes: [dispute({ posted: 2_000 })] }),
    atStripe(),
    "dispute d (lost): 1000 are withdrawn, and Stripe's lines in the ledger come to 2000",
  ],
  [
    'its saga still runs',
    books({ sagas: new Map([['d', 'RUNNING']]) }),
    atStripe(),
    'dispute d (lost): its saga is RUNNING, and has noted its end',
  ],
  [
    'its saga never was',
    books({ sagas: new Map() }),
    atStripe(),
    'dispute d (lost): its saga is not there, and has noted its end',
  ],
  [
    'its saga ended with another state',
    books({ disputes: [dispute({ seen: false })] }),
    atStripe(),
    'dispute d (lost): its saga is COMPLETED, and has not noted its end',
  ],
  ['Stripe does not know it', books(), [], 'dispute d (lost): Stripe has no du_1'],
  [
    'we do not know it',
    books({ disputes: [], payments: [standing({ chargedBack: 0, pending: 1_000 })] }),
    atStripe(),
    'du_1 at Stripe is no dispute of ours',
  ],
  [
    'what is lost is still frozen',
    books({ disputes: [dispute({ frozen: 850 })] }),
    atStripe(),
    'dispute d (lost): has 1000 lost, 850 frozen, 1000 taken from those who had it, and should have 1000 lost, 0 frozen, 1000 taken from those who had it',
  ],
  [
    'nobody has given up what is lost',
    books({ disputes: [dispute({ shared: 0 })] }),
    atStripe(),
    'dispute d (lost): has 1000 lost, 0 frozen, 0 taken from those who had it, and should have 1000 lost, 0 frozen, 1000 taken from those who had it',
  ],
  [
    'the platform gains by one',
    books({ disputes: [dispute({ shared: 1_200, losses: -200 })] }),
    atStripe(),
    'dispute d (lost): the platform has lost -200 by it',
  ],
  [
    'what is not decided is taken as lost',
    { ...UNDECIDED, disputes: [dispute({ ...OPEN, lost: 1_000, frozen: 0, shared: 1_000 })] },
    atStripe({ status: 'needs_response' }),
    'dispute d (needs_response): has 1000 lost, 0 frozen, 1000 taken from those who had it, and should have 0 lost, 1000 frozen, 1000 taken from those who had it',
  ],
  [
    'what was won is not the payee’s again',
    books({ disputes: [dispute(WON)], payments: [standing({ chargedBack: 0, revenue: 150 })] }),
    atStripe(WON_AT_STRIPE),
    'payment p: where its money is, and what was captured: 150 is not 1000',
  ],
  [
    'a payment says that more was charged back',
    books({ payments: [standing({ chargedBack: 1_001 })] }),
    atStripe(),
    'payment p: charged back, and what its disputes have lost of it: 1001 is not 1000',
  ],
  [
    'a payment is disputed still',
    books({ payments: [standing({ disputed: 1_000 })] }),
    atStripe(),
    'payment p: disputed, and what banks have until they decide: 1000 is not 0',
  ],
  [
    'a payment stays frozen',
    books({ payments: [standing({ frozen: 850 })] }),
    atStripe(),
    'payment p: 850 are frozen, and nothing is disputed',
  ],
  [
    'a payee has less than nothing of a payment',
    books({ payments: [standing({ payable: -850 })] }),
    atStripe(),
    'payment p: payable is -850',
  ],
  [
    'the account of what banks have is not empty',
    books({ ledger: [{ account: 'disputed', currency: 'EUR', amount: 1 }] }),
    atStripe(),
    'disputed is 1 EUR, and what is not decided comes to 0',
  ],
  [
    'the account of what banks have has too little',
    { ...UNDECIDED, ledger: [] },
    atStripe({ status: 'needs_response' }),
    'disputed is 0 EUR, and what is not decided comes to 1000',
  ],
  [
    'something is frozen for nothing',
    books({ ledger: [{ account: 'tutor_frozen:ada', currency: 'USD', amount: -3 }] }),
    atStripe(),
    'tutor_frozen of all is 3 USD, and what is not decided comes to 0',
  ],
])('found: %s', (_, rows, stripe, sentence) => {
  expect(aboutDisputes(rows, stripe)).toContain(sentence);
});

test('disputes are counted by how they ended; one of which only a part came back is partly won', () => {
  const disputes = [dispute(), dispute(WON), dispute({ ...WON, withdrawn: 400 }), dispute()];
  expect(Object.fromEntries(disputeEnds(books({ disputes })))).toEqual({ lost: 2, won: 1, 'partly won': 1 });
});
