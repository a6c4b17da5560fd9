import type { Platform, Running } from '../platform/service';
import { runService } from '../platform/service';
import { bookingService } from './booking/routes';
import { startGateway } from './gateway/routes';
import { identityService } from './identity/routes';
import { notificationService } from './notification/routes';
import { paymentService } from './payment/routes';
import { tutoringService } from './tutoring/routes';

/** Start functions by name. Adding a context is adding its line. */
export const services: Record<string, (platform: Platform) => Promise<Running>> = {
  gateway: startGateway,
  identity: (platform) => runService(identityService, platform),
  tutoring: (platform) => runService(tutoringService, platform),
  booking: (platform) => runService(bookingService, platform),
  notification: (platform) => runService(notificationService, platform),
  payment: (platform) => runService(paymentService, platform),
};
