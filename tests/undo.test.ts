import { chance } from '../dev/chaos/chance';
import { undoKeyOf } from '../kernel/step-key';
import { retried } from './support/payment';
import { type SagaStack, startSagaStack } from './support/saga-stack';
import type { Reply } from './support/service';
import { call, type Scene, undoScenes } from './support/undo';

// An undo is never refused, whenever it comes, and after it its step is refused whenever that comes: of every step of every context.

jest.setTimeout(120_000);

const SEED = 20_261_128;
/** Orders drawn for each step, beside those that are written down. */
const DRAWN = 3;

const { PAIRS } = undoScenes();

let stack: SagaStack;
beforeAll(async () => {
  stack = await startSagaStack();
});
afterAll(() => stack.close());

type Move = 'do' | 'undo';
/** What is asked for one after the other, each time one or several requests at once. */
type Order = Move[][];

const WRITTEN: Order[] = [
  [['do'], ['undo'], ['do'], ['undo'], ['do']],
  [['undo'], ['do'], ['undo'], ['do']],
  [['do', 'undo'], ['do'], ['undo']],
  [['do'], ['do', 'undo', 'do', 'undo']],
  [
    ['undo', 'do', 'do', 'undo'],
    ['do', 'undo'],
  ],
];

/** The order that `seed` gives: up to four rounds of up to three requests, an undo among them. */
function drawn(stream: string): Order {
  const draw = chance(SEED, stream);
  const moves = () => Array.from({ length: 1 + draw.below(3) }, (): Move => (draw.holds(0.5) ? 'do' : 'undo'));
  const order = Array.from({ length: 1 + draw.below(4) }, moves);
  return order.flat().includes('undo') ? order : [...order, ['undo'], ['do']];
}

describe.each(Object.entries(PAIRS))('%s', (name, { step, undo, prepare }) => {
  const orders = [...WRITTEN, ...Array.from({ length: DRAWN }, (_, round) => drawn(`${name} ${round}`))];

  test.each(orders.map((order) => [shown(order), order] as const))('%s', async (_, order) => {
    const scene = await prepare(stack);
    let undone: Reply | undefined;
    for (const moves of order) {
      const replies = await Promise.all(moves.map((move) => ask(scene, move)));
      const before = undone;
      for (const [index, reply] of replies.entries()) {
        if (moves[index] === 'undo') {
          undone ??= reply;
          expect([200, 204]).toContain(reply.status);
          expect([reply.status, reply.body]).toEqual([undone.status, undone.body]);
        } else if (before && step) expect([reply.status, reply.body.code]).toEqual([409, 'undone']);
      }
      if (undone) expect(await scene.left()).toEqual([]);
    }
    if (step) expect((await ask(scene, 'do')).body.code).toBe('undone');
    expect(await scene.left()).toEqual([]);
  });

  test('its undo takes only a key that ends with /undo', async () => {
    const { service, key, undoes } = await prepare(stack);
    for (const wrong of [key, '/undo', `${key}/undo/`, `${key}/UNDO`]) {
      const { status, body } = await call(service, undo, undoes, wrong);
      expect([wrong, status, body.code]).toEqual([wrong, 400, 'invalid_idempotency_key']);
    }
  });

  /** Asks as Temporal does: again, as long as the answer is that it may be asked again. */
  function ask({ service, key, does, undoes }: Scene, move: Move): Promise<Reply> {
    if (move === 'undo') return retried(() => call(service, undo, undoes, undoKeyOf(key)), 80);
    // Where a person takes the step, there is none to be refused.
    return step
      ? retried(() => call(service, step, does, key), 80)
      : Promise.resolve({ status: 204, body: '', headers: {} });
  }
});

function shown(order: Order): string {
  return order.map((moves) => moves.join(' beside ')).join(', then ');
}
