import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const script = join(__dirname, 'check-node.js');

/** Runs the check as that Node would. */
const underNode = (version: string) =>
  spawnSync(process.execPath, [
    '-e',
    `Object.defineProperty(process, 'versions', { value: { node: ${JSON.stringify(version)} } }); require(${JSON.stringify(script)})`,
  ]);

test.each(['20.19.0', '20.20.2', '22.12.0', '24.0.0', '100.0.0'])('Node %s may run it', (version) => {
  expect(underNode(version)).toMatchObject({ status: 0 });
});

test.each(['20.18.9', '18.20.8', '8.0.0', '0.10.48'])(
  'Node %s is refused with one sentence that says what to do',
  (version) => {
    const { status, stderr } = underNode(version);
    expect(status).toBe(1);
    expect(String(stderr)).toBe(
      `TutorConnect needs Node 20.19 or newer, and this is ${version}: install a newer one (https://nodejs.org) and run the command again.\n`,
    );
  },
);

test('it asks for what package.json asks for, and this Node passes', () => {
  const { engines } = JSON.parse(readFileSync(join(__dirname, '..', 'package.json'), 'utf8'));
  expect(engines.node).toBe('>=20.19');
  execFileSync(process.execPath, [script]);
});
