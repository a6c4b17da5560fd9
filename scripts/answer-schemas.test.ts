import { descriptionSchema, faultsOfAnswer } from './answer-schemas';

const description = descriptionSchema.parse({
  components: {
    schemas: {
      payout: {
        type: 'object',
        required: ['amount', 'object', 'status'],
        properties: {
          amount: { type: 'integer' },
          destination: { anyOf: [{ type: 'string' }, { $ref: '#/components/schemas/bank' }], nullable: true },
          object: { type: 'string', enum: ['payout'] },
          rate: { type: 'number' },
          status: { type: 'string', enum: ['paid', 'failed'] },
          tags: { type: 'array', items: { type: 'string' } },
          metadata: { type: 'object', nullable: true },
        },
      },
      bank: { type: 'object', required: ['last4'], properties: { last4: { type: 'string' } } },
    },
  },
});
const payout = { object: 'payout', amount: 100, status: 'paid' };
const faults = (answer: unknown) => faultsOfAnswer(description, 'it', answer);

test.each<[string, object]>([
  ['with what is required', payout],
  ['with all, and an integer where a number may be', { ...payout, destination: 'ba_1', rate: 1, tags: ['a'] }],
  ['with an object in place of its id', { ...payout, destination: { last4: '3000' }, metadata: { any: 'thing' } }],
  ['with null where null may be', { ...payout, destination: null, metadata: null }],
  ['in a list', { object: 'list', data: [payout, payout] }],
])('an answer %s is as described', (_, answer) => {
  expect(faults(answer)).toEqual([]);
});

test.each<[string, unknown, string]>([
  ['without a required field', { object: 'payout', amount: 100 }, 'it.status: is missing'],
  ['with a field of nowhere', { ...payout, speed: 1 }, 'it.speed: is not at Stripe'],
  ['with a text for a number', { ...payout, amount: '100' }, 'it.amount: is of type string and not integer'],
  ['with a fraction for an integer', { ...payout, amount: 1.5 }, 'it.amount: is of type number and not integer'],
  ['with another word', { ...payout, status: 'done' }, 'it.status: "done" is not one of paid,failed'],
  [
    'with null where nothing may be missing',
    { ...payout, amount: null },
    'it.amount: is null, which it never is at Stripe',
  ],
  [
    'wrong inside of an object',
    { ...payout, destination: { last4: 3000 } },
    'it.destination.last4: is of type integer',
  ],
  ['wrong inside of a list', { ...payout, tags: ['a', 1] }, 'it.tags[1]: is of type integer and not string'],
  ['wrong among others', { object: 'list', data: [payout, { object: 'payout' }] }, 'it[1].amount: is missing'],
  ['of an unknown kind', { object: 'cheque' }, 'it: Stripe has no cheque'],
  ['that is an empty list', { object: 'list', data: [] }, 'it: is an empty list'],
  ['that is none', 'payout', 'it: is no object'],
])('an answer %s is caught', (_, answer, fault) => {
  expect(faults(answer)).toContainEqual(expect.stringContaining(fault));
});
