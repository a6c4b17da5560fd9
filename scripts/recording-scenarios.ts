import { SAGAS } from '../kernel/modules';
import type { Scenario } from './recording-cast';

type Scenarios = Readonly<Record<string, Scenario>>;

/**
 * Every story by saga and name, with the version where the code of today records another history than the code of before. They are played
 * one after another: some tell Stripe to hang. Those of a saga stand in a file of its name below `scenarios`.
 */
export const SCENARIOS: Readonly<Record<string, Scenarios>> = Object.fromEntries(
  SAGAS.map((saga): [string, Scenarios] => {
    const { scenarios }: { scenarios?: Scenarios } = require(`./scenarios/${saga}`);
    if (!scenarios) throw new Error(`scripts/scenarios/${saga}.ts exports no scenarios`);
    return [saga, scenarios];
  }),
);
