import type { ServiceDefinition } from '../../../platform/service';
import { tutoringContract as contract } from '../contract';
import { tutoringEvents } from '../events';
import { ratingsProjection } from '../store/ratings';
import { servePeople } from './people';
import { serveSagaSteps } from './saga-steps';

/** Tutors: their profiles, hours and prices, and who has which of their time. */
export const tutoringService: ServiceDefinition = {
  name: 'tutoring',
  contract,
  events: tutoringEvents,
  // A plan for all languages would gather every speaker of English to sort them, to show twenty.
  planByValue: true,
  consumers: [ratingsProjection],
  routes(service, deps) {
    servePeople(service, deps);
    serveSagaSteps(service, deps);
  },
};
