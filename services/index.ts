import type { Platform, Running } from '../platform/service';
import { runService } from '../platform/service';

type Start = (platform: Platform) => Promise<Running>;

/** Start functions by name, each loaded when it is started. Adding a context is adding its line. */
export const services = {
  gateway: async (platform) => (await import('./gateway/routes.js')).startGateway(platform),
  identity: async (platform) => runService((await import('./identity/routes/index.js')).identityService, platform),
  tutoring: async (platform) => runService((await import('./tutoring/routes/index.js')).tutoringService, platform),
  booking: async (platform) => runService((await import('./booking/routes/index.js')).bookingService, platform),
  notification: async (platform) =>
    runService((await import('./notification/routes/index.js')).notificationService, platform),
  payment: async (platform) => runService((await import('./payment/routes/index.js')).paymentService, platform),
} as const satisfies Record<string, Start>;
