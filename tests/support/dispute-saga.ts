import { randomUUID } from 'node:crypto';
import type { DisputeSummary } from '../../activities/dispute';
import { DAY, HOUR } from '../../kernel/time';
import { DISPUTE_STEPS } from '../../workflows/dispute';
import { type DisputeInput, disputeChanged, disputeSaga } from '../../workflows/dispute.api';
import type { SagaHarness, TestActivity } from './saga-harness';

const { look, gather, submit, close } = DISPUTE_STEPS;

/** What is said of it when it is opened. */
export interface OpenedDispute extends Partial<DisputeSummary> {
  /** Until when its payee can say something. */
  days?: number;
}

export type DisputeScene = Awaited<ReturnType<typeof openedDispute>>;

/** A dispute saga, over a payment service that does what it is asked: a chargeback of a booking's payment, unless it is said otherwise. */
export async function openedDispute(
  harness: SagaHarness,
  { days = 7, ...is }: OpenedDispute = {},
  change: Record<string, TestActivity> = {},
  bookingId: string | null = randomUUID(),
) {
  const input: DisputeInput = { disputeId: randomUUID(), paymentId: randomUUID(), bookingId, payeeId: randomUUID() };
  const submitBy = (await harness.env.currentTimeMs()) + days * DAY;
  let state: DisputeSummary = {
    ...{ version: 1, status: 'needs_response', claim: '45.00 EUR', amount: { amount: 4_500, currency: 'EUR' } },
    ...{ submitBy: new Date(submitBy).toISOString(), respondBy: new Date(submitBy + DAY).toISOString() },
    ...{ stated: false, submitted: false, decided: false, ...is },
  };
  const told: { key: string; news: string; status: string }[] = [];

  /** Something has changed: a new version. */
  function becomes(news: Partial<DisputeSummary>): void {
    state = { ...state, ...news, version: state.version + 1 };
  }

  /** The bank takes what it is sent. */
  function send(): void {
    const status = state.status === 'needs_response' ? 'under_review' : 'warning_under_review';
    becomes({ status, submitted: true, submitBy: null });
  }

  const payment = {
    [look.does]: () => state,
    [gather.does]: () => undefined,
    [submit.does]: send,
    [close.does]: () => state,
    notifyDispute: ({ key, news, state: shown }: { key: string; news: string; state: DisputeSummary }) => {
      told.push({ key, news, status: shown.status });
    },
  };
  const saga = await harness.start(disputeSaga, input, { ...payment, ...change });

  const decided = (status: DisputeSummary['status']) =>
    becomes({ status, decided: true, submitBy: null, respondBy: null });
  /** Payment's word of a change, as its webhook brings it. */
  const tell = (version = state.version) => saga.handle.signal(disputeChanged, { disputeId: input.disputeId, version });

  return {
    ...{ input, saga, told, becomes, decided, tell, send },
    /** As its service does when news come after its end. */
    begin: () => harness.start(disputeSaga, input, { ...payment, ...change }),
    /** What payment says of it. */
    now: () => state,
    /** What the payee was told, by the keys. */
    names: () => told.map(({ key }) => key.replace(`dispute:${input.disputeId}/`, '')),
    count: (name: string) => saga.calls.filter((call) => call === name).length,
    resolve: (action: string, step: string) => saga.update('resolve', { step, action }),
    details: saga.details,
    says: saga.says,
    /** Lets time pass until the payee can say nothing more, and what there is has been asked to be sent. */
    async isLate(times = 1): Promise<void> {
      await harness.env.sleep(Date.parse(state.submitBy ?? '') - (await harness.env.currentTimeMs()) + HOUR);
      await saga.called(submit.does, times);
    },
    /**
     * A bank decides, a webhook tells, and the saga ends. All other moments of a dispute are whole hours apart: half an hour later the
     * webhook cannot meet the last task of a saga that has found the decision by itself, which this server does not survive.
     */
    async ends(status: DisputeSummary['status']): Promise<void> {
      await harness.env.sleep(HOUR / 2);
      decided(status);
      await tell();
      expect(await saga.result()).toEqual({ status });
    },
  };
}
