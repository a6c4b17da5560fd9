import { z } from 'zod';
import { endpoint } from '../../../platform/endpoint';
import { InstantOut } from '../../../platform/schemas';

// What tutors are promised of the account at Stripe by which they are paid out.

export const PayoutAccount = z
  .strictObject({
    status: z.enum(['not_started', 'incomplete', 'restricted', 'enabled']).meta({
      description:
        '`incomplete`: Stripe has not been told who you are yet; `restricted`: it wants to know more, or pays nothing out for another reason',
    }),
    currentlyDue: z.array(z.string()).meta({ description: 'What Stripe wants to know now, in its own names' }),
    disabledReason: z.string().nullable().meta({ description: 'Why it pays nothing out, in its own word' }),
  })
  .meta({ id: 'PayoutAccount' });
export type PayoutAccount = z.output<typeof PayoutAccount>;

const OnboardingLink = z
  .strictObject({ url: z.url(), expiresAt: InstantOut })
  .meta({ id: 'OnboardingLink', description: 'A page of Stripe. It opens once, and within some minutes' });

/** Where Stripe sends people when they are through, and when their link was opened before or is too old. */
export const ONBOARDED_PAGE = '/api/payouts/account/onboarded';
export const EXPIRED_PAGE = '/api/payouts/account/link-expired';

/** The public operations of the account. */
export const payoutAccountOperations = {
  getPayoutAccount: endpoint({
    method: 'get',
    path: '/api/payouts/account',
    operationId: 'getPayoutAccount',
    summary: 'Whether you can be paid out, and what Stripe wants to know before that',
    description: 'As Stripe says at this moment.',
    access: ['tutor'],
    reaches: ['stripe'],
    replies: { 200: PayoutAccount },
  }),
  startOnboarding: endpoint({
    method: 'post',
    path: '/api/payouts/account/onboarding',
    operationId: 'startOnboarding',
    summary: 'A page of Stripe on which you say who you are and where your money goes',
    description: 'Each link is good for one visit: ask for it when somebody is about to open it.',
    access: ['tutor'],
    idempotency: 'none',
    reaches: ['stripe'],
    replies: { 201: OnboardingLink },
    errors: ['invalid_state'],
  }),
} as const;
