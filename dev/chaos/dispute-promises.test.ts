import type { Reply } from './client';
import { judgeDispute } from './dispute-promises';
import type { DisputeRecord } from './records';
import type { SandboxState } from './stripe-state';
import type { DisputeView } from './wire';

const reply = (status: number, code?: string, more: object = {}): Reply => ({ status, code, body: { code, ...more } });
const OK = reply(200);
const told = (more: Partial<DisputeRecord> = {}) => ({
  ...{ paymentId: 'p', statement: 'I was there', stripeId: 'du_1' },
  ...more,
});
const shown = (more: Partial<DisputeView> = {}): DisputeView => ({
  ...{ id: 'd', paymentId: 'p', status: 'lost', statement: null, accepted: false },
  ...more,
});
const atStripe = (text: string | null = null, status = 'lost'): SandboxState['disputes'][number] => ({
  ...{ id: 'du_1', charge: 'ch_1', status, amount: 1_000, currency: 'eur', balance_transactions: [] },
  evidence: { uncategorized_text: text },
  evidence_details: { submission_count: text === null ? 0 : 1 },
});
const STATED = shown({ statement: 'I was there' });
const SENT = atStripe('I was there');

test.each<[string, ReturnType<typeof told>, DisputeView | undefined, ReturnType<typeof atStripe> | undefined]>([
  ['nothing was said of one that could not be opened', told({ stripeId: undefined }), undefined, undefined],
  ['nothing was said', told(), shown(), atStripe()],
  ['something was said, and waits for the deadline', told({ stated: OK }), STATED, atStripe()],
  ['it was sent', told({ stated: OK, submitted: OK }), STATED, SENT],
  ['it was sent, and the answer was lost', told({ stated: OK, submitted: reply(409, 'invalid_state') }), STATED, SENT],
  [
    'Stripe did not take it',
    told({ stated: OK, submitted: reply(409, 'invalid_state', { stripeCode: 'x' }) }),
    STATED,
    atStripe(),
  ],
  ['it was given up', told({ accepted: OK }), shown({ accepted: true }), atStripe()],
])('%s: no violation', (_, record, view, stripe) => {
  expect(judgeDispute(record, view, stripe)).toEqual([]);
});

const ABOUT = 'the dispute of payment p (lost): ';

test.each<[string, ReturnType<typeof told>, DisputeView | undefined, ReturnType<typeof atStripe> | undefined, string]>([
  [
    'its payee does not see it',
    told(),
    undefined,
    atStripe(),
    'the dispute of payment p (not there): Stripe says lost',
  ],
  ['its payee sees another state', told(), shown(), atStripe(null, 'won'), `${ABOUT}Stripe says won`],
  ['what they say is gone', told({ stated: OK }), shown(), atStripe(), `${ABOUT}what its payee says is not there`],
  [
    'they could say nothing',
    told({ stated: reply(409, 'edit_window_closed') }),
    shown(),
    atStripe(),
    `${ABOUT}what its payee says was refused for no reason: 409 edit_window_closed`,
  ],
  [
    'what was to be sent was not',
    told({ stated: OK, submitted: OK }),
    STATED,
    atStripe(),
    `${ABOUT}what speaks against it was promised to be sent, and Stripe has not got it`,
  ],
  [
    'something else was sent',
    told({ stated: OK, submitted: OK }),
    STATED,
    atStripe('Nobody was there'),
    `${ABOUT}what speaks against it was promised to be sent, and Stripe has not got it`,
  ],
  [
    'it was not sent, and Stripe refused nothing',
    told({ stated: OK, submitted: reply(409, 'invalid_state') }),
    STATED,
    atStripe(),
    `${ABOUT}what speaks against it was not sent for no reason: 409 invalid_state`,
  ],
  [
    'it could not be given up',
    told({ accepted: reply(409, 'invalid_state') }),
    shown(),
    atStripe(),
    `${ABOUT}it was not given up for no reason: 409 invalid_state`,
  ],
  [
    'it was given up and does not say so',
    told({ accepted: OK }),
    shown(),
    atStripe(),
    `${ABOUT}it was given up, and does not say so`,
  ],
])('found: %s', (_, record, view, stripe, sentence) => {
  expect(judgeDispute(record, view, stripe)).toEqual([sentence]);
});
