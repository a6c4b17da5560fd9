import type { ServiceDefinition } from '../../../platform/service';
import { bookingContract as contract } from '../contract';
import { bookingEvents } from '../events';
import { peopleProjection } from '../store/people';
import { servePeople } from './people';
import { serveSagaSteps } from './saga-steps';
import { serveSuspensions } from './suspensions';

/** Bookings: what people do to them, and the steps of the booking saga. */
export const bookingService: ServiceDefinition = {
  name: 'booking',
  contract,
  events: bookingEvents,
  consumers: [peopleProjection],
  routes(service, deps) {
    servePeople(service, deps);
    serveSagaSteps(service, deps);
    serveSuspensions(service, deps);
  },
};
