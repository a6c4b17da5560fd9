import type { ServiceDefinition } from '../../../platform/service';
import { notificationContract as contract } from '../contract';
import { startDelivery } from '../delivery';
import { notificationEvents } from '../events';
import { createMailer } from '../mailer';
import { passwordNotices } from '../password-notices';
import { roleNotices } from '../role-notices';
import { createFactsSealer } from '../sealed-facts';
import { secondFactorNotices } from '../second-factor-notices';
import { signInNotices } from '../sign-in-notices';
import { peopleProjection } from '../store/people';
import { verifiedAddressesProjection } from '../store/verified-addresses';
import { servePeople } from './people';
import { serveSagaSteps } from './saga-steps';

/** Tells people things: one mail per business key, a list of what was said, and preferences. */
export const notificationService: ServiceDefinition = {
  name: 'notification',
  contract,
  events: notificationEvents,
  consumers: [
    ...[peopleProjection, verifiedAddressesProjection],
    ...[passwordNotices, roleNotices, signInNotices, secondFactorNotices],
  ],
  async routes(service, deps) {
    const sealer = createFactsSealer(deps.config);
    const mailer = createMailer(deps.config.SMTP_URL, deps.config.MAIL_FROM);
    const delivery = startDelivery(deps, mailer, sealer);
    serveSagaSteps(service, deps, sealer);
    servePeople(service, deps);
    return {
      async close() {
        await delivery.close();
        mailer.close();
      },
    };
  },
};
