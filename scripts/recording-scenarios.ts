import { join } from 'node:path';
import { SAGAS } from '../kernel/modules';
import { exportOf } from '../platform/export-of';
import type { Scenario } from './recording-cast';

type Scenarios = Readonly<Record<string, Scenario>>;

/**
 * Every story by saga and name, with the version where the code of today records another history than the code of before. They are played
 * one after another: some tell Stripe to hang. Those of a saga stand in a file of its name below `scenarios`.
 */
export const SCENARIOS: Readonly<Record<string, Scenarios>> = Object.fromEntries(
  SAGAS.map((saga): [string, Scenarios] => [saga, exportOf(join(__dirname, 'scenarios', saga), 'scenarios')]),
);
