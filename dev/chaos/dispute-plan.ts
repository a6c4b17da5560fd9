import type { Chance } from './chance';
import type { DisputePlan, Verdict } from './plan';

type Story = Pick<DisputePlan, 'answer' | 'answerable' | 'verdicts'>;

const WON: Verdict = { to: 'won', percent: 100 };
const PARTLY_WON: Verdict = { to: 'won', percent: 60 };
const LOST: Verdict = { to: 'lost', percent: 100 };
const ESCALATED: Verdict = { to: 'escalated', percent: 100 };
const CLOSED: Verdict = { to: 'closed', percent: 100 };

const story = (answer: Story['answer'], verdicts: Verdict[], answerable: Story['answerable'] = 'for days'): Story => ({
  ...{ answer, answerable, verdicts },
});

/** What becomes of a chargeback. Whatever a bank has not said by then it says when the run is over. */
const OF_CHARGEBACKS: readonly (readonly [number, Story])[] = [
  [2, story('nothing', [])],
  [2, story('nothing', [LOST])],
  [2, story('nothing', [LOST, WON])],
  [1, story('nothing', [LOST, PARTLY_WON])],
  [2, story('nothing', [], 'for hours')],
  [2, story('nothing', [WON], 'for hours')],
  [1, story('nothing', [], 'never')],
  [1, story('nothing', [WON], 'never')],
  [2, story('stated', [])],
  [1, story('stated', [LOST])],
  [2, story('submitted', [])],
  [3, story('submitted', [WON])],
  [2, story('submitted', [PARTLY_WON])],
  [2, story('submitted', [LOST])],
  [2, story('submitted', [LOST, WON])],
  [3, story('accepted', [])],
  [1, story('accepted', [WON])],
];

const OF_INQUIRIES: readonly (readonly [number, Story])[] = [
  [2, story('nothing', [])],
  [2, story('nothing', [CLOSED])],
  [2, story('nothing', [ESCALATED])],
  [1, story('nothing', [ESCALATED, LOST])],
  [1, story('nothing', [ESCALATED, LOST, WON])],
  [1, story('submitted', [CLOSED])],
  [2, story('submitted', [ESCALATED])],
];

/** Draws how a payment is disputed, and what becomes of it. */
export function drawDispute(draw: Chance): DisputePlan {
  const inquiry = draw.holds(0.25);
  return {
    percent: draw.pick([
      [50, 100],
      [35, 20 + draw.below(60)],
      [15, 120],
    ]),
    inquiry,
    ...draw.pick(inquiry ? OF_INQUIRIES : OF_CHARGEBACKS),
    when: draw.pick<DisputePlan['when']>([
      [1, 'before'],
      [1, 'beside'],
      [1, 'after'],
    ]),
    losesWebhooks: draw.holds(0.25),
    pauseMs: Math.round(draw.between(200, 3_000)),
  };
}
