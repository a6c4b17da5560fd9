import type { ServiceDefinition } from '../../../platform/service';
import { notificationContract as contract } from '../contract';
import { createDelivery } from '../delivery';
import { createMailer } from '../mailer';
import { servePeople } from './people';
import { serveSagaSteps } from './saga-steps';

/** Tells people things: one mail per business key, a list of what was said, and preferences. */
export const notificationService: ServiceDefinition = {
  name: 'notification',
  contract,
  async routes(service, deps) {
    const mailer = createMailer(deps.config.SMTP_URL, deps.config.MAIL_FROM);
    serveSagaSteps(service, deps, createDelivery(deps, mailer));
    servePeople(service, deps);
    return { close: async () => mailer.close() };
  },
};
