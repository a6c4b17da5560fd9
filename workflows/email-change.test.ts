import { randomUUID } from 'node:crypto';
import type { Standing } from '../activities/email-change';
import { DAY, SECOND } from '../kernel/time';
import {
  fails,
  gate,
  isAway,
  refuses,
  type SagaHarness,
  type StartedSaga,
  startSagaHarness,
  type TestActivity,
} from '../tests/support/saga-harness';
import { EMAIL_CHANGE_STEPS } from './email-change';
import { emailChangeNews, emailChangeSaga } from './email-change.api';

let harness: SagaHarness;
beforeAll(async () => {
  harness = await startSagaHarness();
}, 60_000);
jest.setTimeout(60_000);
afterAll(() => harness?.close());

type Changed = Record<string, TestActivity>;
type Undone = 'dropAddress' | 'withdrawEmailChange' | 'switchAddressBack';

/** identity as the saga asks it: how the change stands, and until when by itself. */
function standsAs(first: Standing) {
  let status = first;
  const until: Partial<Record<Standing, number>> = {};
  const look: TestActivity = async () => {
    const now = await harness.env.currentTimeMs();
    const lasts = status === 'asked' ? DAY : status === 'changed' ? 7 * DAY : undefined;
    if (lasts !== undefined) until[status] ??= now + lasts;
    const end = until[status];
    if (end !== undefined && end <= now) status = status === 'asked' ? 'expired' : 'kept';
    return { status, until: lasts === undefined ? null : new Date(end ?? now).toISOString() };
  };
  return {
    look,
    make: () => {
      status = 'changed';
      return { status };
    },
    becomes: (next: Standing) => {
      status = next;
    },
  };
}

/** Starts a change whose identity is `identity`; `change` replaces single steps. */
function start(identity = standsAs('asked'), change: Changed = {}, requestId: string = randomUUID()) {
  const nothing = () => undefined;
  return harness.start(
    emailChangeSaga,
    { requestId },
    {
      lookAtEmailChange: identity.look,
      makeEmailChange: identity.make,
      takeEmailChangeBack: () => ({ status: 'reverted' }),
      ...Object.fromEntries(
        [
          ...[
            'proposeAddress',
            'dropAddress',
            'askToConfirm',
            'withdrawEmailChange',
            'switchAddress',
            'switchAddressBack',
          ],
          ...['tellEmailTaken', 'tellOfEmailChange', 'restoreAddress', 'forgetAddress'],
        ].map((name) => [name, nothing]),
      ),
      ...change,
    },
  );
}

const tell = (saga: StartedSaga) => saga.handle.signal(emailChangeNews, {});
const WAITS = 'waits for its person to use the link';
const calledBut = (saga: StartedSaga, ...left: string[]) => saga.calls.filter((call) => !left.includes(call));
const steps = (saga: StartedSaga) => calledBut(saga, 'lookAtEmailChange');

/** Has the change confirmed once it waits for that. */
async function confirmed(identity = standsAs('asked'), change: Changed = {}) {
  const saga = await start(identity, change);
  await saga.says(WAITS);
  identity.becomes('confirmed');
  await tell(saga);
  return { saga, identity };
}

test('a change is made when it is confirmed, contact before account, and is for good after seven days', async () => {
  const began = await harness.env.currentTimeMs();
  const { saga } = await confirmed();
  expect(await saga.result()).toEqual({ outcome: 'kept' });
  expect(steps(saga)).toEqual([
    ...['proposeAddress', 'askToConfirm', 'switchAddress', 'makeEmailChange', 'tellOfEmailChange', 'forgetAddress'],
  ]);
  expect((await harness.env.currentTimeMs()) - began).toBeGreaterThanOrEqual(7 * DAY);
  expect(await saga.attribute('SagaState')).toBe('Completed');
  await harness.replay(saga.handle);
});

test('each step has a key of its own', async () => {
  const keys: string[] = [];
  const noting = Object.values(EMAIL_CHANGE_STEPS).flatMap(({ does }): [string, TestActivity][] =>
    does === 'lookAtEmailChange' || does === 'makeEmailChange' ? [] : [[does, ({ key }) => void keys.push(key)]],
  );
  const { saga } = await confirmed(standsAs('asked'), Object.fromEntries(noting));
  await saga.result();
  const { workflowId } = saga.handle;
  expect(keys).toEqual(['propose', 'ask', 'switch', 'tell', 'forget'].map((step) => `${workflowId}/${step}`));
});

test('an address that nobody had proven cannot be changed back, so that the saga is over at once', async () => {
  const { saga } = await confirmed(standsAs('asked'), { makeEmailChange: () => ({ status: 'kept' }) });
  expect(await saga.result()).toEqual({ outcome: 'kept' });
  const { events } = await saga.handle.fetchHistory();
  const made = events?.findIndex((event) => event.activityTaskScheduledEventAttributes) ?? -1;
  expect(made).toBeGreaterThan(0);
  expect(events?.slice(made).filter((event) => event.timerStartedEventAttributes)).toEqual([]);
});

test('one that nobody confirms is undone after a day, last step first', async () => {
  const saga = await start();
  expect(await saga.result()).toEqual({ outcome: 'expired' });
  expect(steps(saga)).toEqual(['proposeAddress', 'askToConfirm', 'withdrawEmailChange', 'dropAddress']);
  expect(await saga.attribute('SagaState')).toBe('Compensated');
  await harness.replay(saga.handle);
});

test.each<Standing>(['replaced', 'void'])('one that is %s while it waits is undone', async (standing) => {
  const identity = standsAs('asked');
  const saga = await start(identity);
  await saga.says(WAITS);
  identity.becomes(standing);
  await tell(saga);
  expect(await saga.result()).toEqual({ outcome: standing });
  expect(steps(saga)).toEqual(['proposeAddress', 'askToConfirm', 'withdrawEmailChange', 'dropAddress']);
});

test.each<Standing>(['replaced', 'void', 'withdrawn'])(
  'one that is %s before it begins does nothing',
  async (standing) => {
    const saga = await start(standsAs(standing));
    expect(await saga.result()).toEqual({ outcome: standing });
    expect(steps(saga)).toEqual([]);
  },
);

test('a signal that is lost is made up for by looking, once a day', async () => {
  const identity = standsAs('asked');
  const { saga } = await confirmed(identity);
  await saga.becomes('Confirmed');
  identity.becomes('reverting');
  expect(await saga.result()).toEqual({ outcome: 'reverted' });
});

test.each<Standing>(['taken', 'void'])(
  'where the account does not get the address because it is %s, all is undone',
  async (standing) => {
    const identity = standsAs('asked');
    const { saga } = await confirmed(identity, { makeEmailChange: () => ({ status: standing }) });
    expect(await saga.result()).toEqual({ outcome: standing });
    const told = standing === 'taken' ? ['tellEmailTaken'] : [];
    expect(steps(saga)).toEqual([
      ...['proposeAddress', 'askToConfirm', 'switchAddress', 'makeEmailChange'],
      ...['switchAddressBack', 'withdrawEmailChange', 'dropAddress', ...told],
    ]);
    await harness.replay(saga.handle);
  },
);

test('what cannot be told of a taken address is given up, and calls no operator', async () => {
  const { saga } = await confirmed(standsAs('asked'), {
    makeEmailChange: () => ({ status: 'taken' }),
    tellEmailTaken: refuses('conflict'),
  });
  expect(await saga.result()).toEqual({ outcome: 'taken' });
});

test('one that is taken back is, contact before account', async () => {
  const { saga, identity } = await confirmed();
  await saga.becomes('Confirmed');
  identity.becomes('reverting');
  await tell(saga);
  expect(await saga.result()).toEqual({ outcome: 'reverted' });
  expect(steps(saga).slice(-4)).toEqual([
    'tellOfEmailChange',
    'restoreAddress',
    'takeEmailChangeBack',
    'forgetAddress',
  ]);
  expect(await saga.attribute('SagaState')).toBe('Compensated');
  await harness.replay(saga.handle);
});

test('one that is void because an earlier one was taken back is forgotten', async () => {
  const { saga, identity } = await confirmed();
  await saga.becomes('Confirmed');
  identity.becomes('void');
  await tell(saga);
  expect(await saga.result()).toEqual({ outcome: 'void' });
  expect(steps(saga).slice(-2)).toEqual(['tellOfEmailChange', 'forgetAddress']);
});

const UNDOS: Record<string, Undone[]> = {
  proposeAddress: ['dropAddress'],
  askToConfirm: ['withdrawEmailChange', 'dropAddress'],
  switchAddress: ['switchAddressBack', 'withdrawEmailChange', 'dropAddress'],
};

describe.each(Object.keys(UNDOS))('%s', (step) => {
  const undos = UNDOS[step] ?? [];

  test('that is refused has all that was done undone, itself too', async () => {
    const { saga } = await waitingUnless(step, { [step]: refuses('invalid_state') });
    expect(await saga.result()).toEqual({ outcome: 'withdrawn' });
    expect(steps(saga).slice(-undos.length)).toEqual(undos);
  });

  test('that fails and is met by a cancel is undone', async () => {
    const { saga } = await waitingUnless(step, { [step]: fails() });
    await saga.called(step);
    await saga.handle.cancel();
    expect(await saga.result()).toEqual({ outcome: 'withdrawn' });
    expect(steps(saga).slice(-undos.length)).toEqual(undos);
  });

  test('that fails for longer than local attempts last goes on as a recorded one', async () => {
    const { saga } = await waitingUnless(step, { [step]: fails(9) });
    await (step === 'switchAddress' ? saga.becomes('Confirmed') : saga.says(WAITS));
    const { events } = await saga.handle.fetchHistory();
    const recorded = events?.flatMap((event) => event.activityTaskScheduledEventAttributes?.activityType?.name ?? []);
    expect(recorded).toContain(step);
    await harness.replay(saga.handle);
    await saga.handle.terminate();
  });
});

/** A change that comes as far as `step`. */
async function waitingUnless(step: string, change: Changed) {
  return step === 'switchAddress'
    ? confirmed(standsAs('asked'), change)
    : { saga: await start(standsAs('asked'), change) };
}

test('a cancel while it waits for its person calls it off', async () => {
  const saga = await start();
  await saga.says(WAITS);
  await saga.handle.cancel();
  expect(await saga.result()).toEqual({ outcome: 'withdrawn' });
  expect(steps(saga)).toEqual(['proposeAddress', 'askToConfirm', 'withdrawEmailChange', 'dropAddress']);
});

test('a cancel once it is made changes nothing', async () => {
  const { saga } = await confirmed();
  await saga.becomes('Confirmed');
  await saga.handle.cancel();
  expect(await saga.result()).toEqual({ outcome: 'kept' });
  expect(steps(saga)).not.toContain('switchAddressBack');
});

test('identity that is away when the address is to be changed is waited for, and a cancel does not give it up', async () => {
  const identity = standsAs('asked');
  const away: TestActivity = (input, attempt) => (attempt < 4 ? isAway(input, attempt) : identity.make());
  const { saga } = await confirmed(identity, { makeEmailChange: away });
  await saga.called('makeEmailChange');
  await saga.handle.cancel();
  expect(await saga.result()).toEqual({ outcome: 'kept' });
  expect(steps(saga)).not.toContain('switchAddressBack');
});

test.each([
  ['look', 'lookAtEmailChange'],
  ['make', 'makeEmailChange'],
])('%s that is refused asks an operator, who may settle it by hand', async (step, activity) => {
  const identity = standsAs('asked');
  const refused = { [activity]: refuses('conflict') };
  const { saga } = step === 'make' ? await confirmed(identity, refused) : { saga: await start(identity, refused) };
  await saga.becomes('NeedsAttention');
  expect(await saga.details()).toContain(`**${step}** is not done: conflict`);
  await saga.update('resolve', { step, action: 'accept' });
  expect(await saga.result()).toEqual({ outcome: 'settled_by_operator' });
  expect(await saga.attribute('SagaState')).toBe('Completed');
});

test('taking it back that is refused asks an operator, who may settle it by hand', async () => {
  const { saga, identity } = await confirmed(standsAs('asked'), { takeEmailChangeBack: refuses('conflict') });
  await saga.becomes('Confirmed');
  identity.becomes('reverting');
  await tell(saga);
  await saga.becomes('NeedsAttention');
  await saga.update('resolve', { step: 'take-back', action: 'accept' });
  expect(await saga.result()).toEqual({ outcome: 'settled_by_operator' });
});

test('where the address is taken, a mail that cannot be sent changes nothing', async () => {
  const { saga } = await confirmed(standsAs('asked'), {
    ...{ makeEmailChange: () => ({ status: 'taken' }), tellEmailTaken: refuses('validation_failed') },
  });
  expect(await saga.result()).toEqual({ outcome: 'taken' });
  expect(await saga.attribute('SagaState')).toBe('Compensated');
});

test('how it stands that identity cannot say any more, while it waits, asks an operator', async () => {
  const identity = standsAs('asked');
  let isGone = false;
  const { look } = identity;
  const saga = await start(identity, {
    lookAtEmailChange: (input, attempt) => (isGone ? refuses('not_found')(input, attempt) : look(input, attempt)),
  });
  await saga.says(WAITS);
  isGone = true;
  await tell(saga);
  await saga.becomes('NeedsAttention');
  await saga.update('resolve', { step: 'look', action: 'accept' });
  expect(await saga.result()).toEqual({ outcome: 'settled_by_operator' });
});

test('without a time until which it stands it is looked at once a day', async () => {
  let status: Standing = 'asked';
  const saga = await start(standsAs('asked'), { lookAtEmailChange: () => ({ status, until: null }) });
  await saga.says(WAITS);
  status = 'void';
  const before = await harness.env.currentTimeMs();
  expect(await saga.result()).toEqual({ outcome: 'void' });
  expect((await harness.env.currentTimeMs()) - before).toBeLessThan(2 * DAY);
});

test('one that is replaced before its saga begins has nothing to take back', async () => {
  const saga = await start(standsAs('replaced'));
  expect(await saga.result()).toEqual({ outcome: 'replaced' });
  expect(steps(saga)).toEqual([]);
});

test('a cancel while the contact is switched late, because notification was away, switches it back', async () => {
  const running = gate();
  let localAttempts = 0;
  const { saga } = await confirmed(standsAs('asked'), {
    switchAddress: (input, attempt) => (++localAttempts <= 7 ? isAway(input, attempt) : running.activity()),
  });
  await saga.called('switchAddress');
  await harness.env.sleep(30 * SECOND);
  await saga.called('switchAddress', 2);
  await saga.handle.cancel();
  await saga.cancelRequested();
  running.open();
  expect(await saga.result()).toEqual({ outcome: 'withdrawn' });
  expect(steps(saga)).not.toContain('makeEmailChange');
  expect(steps(saga)).toContain('switchAddressBack');
});

test('what operators read names the request, and nobody', async () => {
  const saga = await start(standsAs('asked'), {}, 'r2');
  await saga.result();
  expect(await saga.details()).toBe('**Compensated**\n\nChange of address r2: expired. The address is as it was.');
});
