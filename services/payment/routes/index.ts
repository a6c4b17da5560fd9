import type { ServiceDefinition } from '../../../platform/service';
import { paymentContract as contract } from '../contract';
import { paymentEvents } from '../events';
import { createNameSealer, refuseOtherSecret } from '../receipts/sealed-names';
import { newestReceipt } from '../receipts/store';
import { createStripe } from '../stripe/door';
import type { Till } from '../till';
import { serveCards } from './cards';
import { serveDisputes } from './disputes';
import { servePayoutAccount } from './payout-account';
import { servePayouts } from './payouts';
import { servePeople } from './people';
import { serveReceipts } from './receipts';
import { serveSagaSteps } from './saga-steps';
import { serveWallet } from './wallet';
import { serveWebhook } from './webhook';

/** What tests set otherwise. */
export interface PaymentOptions {
  /** How long one request to Stripe may take, if not the default. */
  stripeTimeoutMs?: number;
  /** How long a client waits before it is answered that its payment or refund is under way: ten seconds. */
  answerWithinMs?: number;
}

/** The payment service. */
export function definePaymentService({ stripeTimeoutMs, answerWithinMs }: PaymentOptions = {}): ServiceDefinition {
  return {
    name: 'payment',
    contract,
    events: paymentEvents,
    async routes(service, { config, logger, database: { db }, changes, sagas }) {
      const stripe = createStripe(config, logger, stripeTimeoutMs);
      const till: Till = {
        db,
        stripe,
        feePercent: config.PLATFORM_FEE_PERCENT,
        earningsHoldDays: config.EARNINGS_HOLD_DAYS,
        settling: config.SETTLEMENT_CURRENCIES,
        minimums: config.payoutMinimums,
      };
      const sealer = createNameSealer(config);
      await refuseOtherSecret(sealer, () => newestReceipt(db), logger);
      servePeople(service, till, { sagas, changes, answerWithinMs });
      serveCards(service, till, {
        publishableKey: config.STRIPE_PUBLISHABLE_KEY,
        scriptUrl: config.STRIPE_SCRIPT_URL,
      });
      serveWallet(service, till);
      servePayouts(service, till, sagas);
      servePayoutAccount(service, till, config.PUBLIC_URL);
      serveReceipts(service, till, sealer);
      serveWebhook(service, till, sagas);
      serveDisputes(service, till, sagas);
      serveSagaSteps(service, till, { sagas, logger, sealer });
    },
  };
}

export const paymentService = definePaymentService();
