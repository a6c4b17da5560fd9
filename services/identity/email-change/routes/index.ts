import type { ServicePart } from '../../../../platform/service';
import { operations } from '../contract';
import { servePages } from './pages';
import { servePeople } from './people';
import { serveSagaSteps } from './saga-steps';

/** Changes of an account's address: what people ask, the pages that mails lead to, and the steps of the saga. */
export const part: ServicePart = {
  contract: operations,
  routes(service, deps) {
    servePages(service, deps);
    servePeople(service, deps);
    serveSagaSteps(service, deps);
  },
};
