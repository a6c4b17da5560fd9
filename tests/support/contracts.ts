import type { DATABASE_CONTEXTS } from '../../kernel/modules';
import type { Endpoint } from '../../platform/endpoint';
import { bookingContract } from '../../services/booking/contract';
import { identityContract } from '../../services/identity/contract';
import { notificationContract } from '../../services/notification/contract';
import { paymentContract } from '../../services/payment/contract';
import { tutoringContract } from '../../services/tutoring/contract';

/** What each context promises. */
export const contracts: Record<(typeof DATABASE_CONTEXTS)[number], Record<string, Endpoint>> = {
  booking: bookingContract,
  identity: identityContract,
  notification: notificationContract,
  payment: paymentContract,
  tutoring: tutoringContract,
};

/** Every operation that any context promises. */
export const operations: Endpoint[] = Object.values(contracts).flatMap((contract) => Object.values(contract));
