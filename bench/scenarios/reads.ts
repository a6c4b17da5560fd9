import { versionsOf } from '../machine';
import { profileSettings } from '../profile';
import { measureReads } from '../reads/load';
import { seeded } from '../reads/seed';
import { openStage } from '../reads/stage';
import { FULL_SCALE, READ_FIGURES } from './names';
import type { RunScenario } from './scenario';

const DEFAULTS = FULL_SCALE.reads;
/** Fewer do not fill the weeks and the people that the reads ask for. */
const FEWEST = 5_000;

/** Every read through the gateway over a large database: p95 for each. */
export const reads: RunScenario = async ({ scale, profileFolder, say, signal }) => {
  const { count = DEFAULTS.count, clients = DEFAULTS.clients, seconds = DEFAULTS.seconds } = scale;
  if (count < FEWEST) throw new Error(`The reads need ${FEWEST} bookings`);
  say('Starting the platform');
  const settings = profileFolder === undefined ? {} : profileSettings(profileFolder);
  const stage = await openStage(count, settings, (line) => {
    if (!line.startsWith('[')) say(`  ${line}`);
  });
  try {
    await seeded(stage, count, say);
    const results = await measureReads(stage, { clients, seconds, profileFolder, say, signal });
    const failed = results.filter(({ failures }) => failures > 0);
    const figures = {
      ...Object.fromEntries(
        results.flatMap(({ name, p95, floorP95, perSecond, cpu }) => [
          [`${READ_FIGURES.p95}${name}`, p95],
          [`${READ_FIGURES.floor}${name}`, floorP95],
          [`${READ_FIGURES.perSecond}${name}`, perSecond],
          [`${READ_FIGURES.services}${name}`, cpu.services ?? 0],
          [`${READ_FIGURES.postgres}${name}`, cpu.postgres ?? 0],
          [`${READ_FIGURES.client}${name}`, cpu.client ?? 0],
        ]),
      ),
      worstP95: Math.max(...results.map(({ p95 }) => p95)),
    };
    return [
      {
        scenario: 'reads',
        scale: { count, clients, seconds },
        figures,
        contradictions: failed.map(
          ({ name, failures }) => `${failures} replies to ${name} were not what was asked for`,
        ),
        versions: await versionsOf(stage),
      },
    ];
  } finally {
    await stage.stop();
  }
};
