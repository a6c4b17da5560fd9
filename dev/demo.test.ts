import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { compiledPath } from './machine/paths';
import { removeDataDir, temporaryDataDir } from './machine/temporary-data';
import { buildOnce } from './processes/build-once';
import { livingChildren } from './processes/run-file';
import { ownSettings } from './stack/own-platform';

jest.setTimeout(300_000);

let dataDir: string;
let settings: Record<string, string>;

beforeAll(async () => {
  await buildOnce();
  dataDir = temporaryDataDir();
  settings = { ...(await ownSettings()), DATA_DIR: dataDir };
});
afterAll(() => removeDataDir(dataDir));

async function demo(more: Record<string, string> = {}) {
  const child = spawn(process.execPath, [compiledPath('dev/demo.js')], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...settings, ...more },
    cwd: dataDir,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (text) => {
      output += String(text);
    });
  }
  const [code] = await once(child, 'close');
  return { code, output };
}

test('all seven stories end as they should, and nothing is left running', async () => {
  const { code, output } = await demo();
  // What it said shows which story went wrong.
  expect({ code, said: code === 0 ? '' : output }).toEqual({ code: 0, said: '' });
  expect(output).toMatch(/A .*confirmed, 48\.00 EUR taken /);
  expect(output).toMatch(/B .*cancelled, slot free, no money moved/);
  expect(output).toMatch(/C .*refunded, all of 48\.00 EUR/);
  expect(output).toMatch(/D .*confirmed, 48\.00 EUR taken once/);
  expect(output).toMatch(/E .*rejected, mended, 85\.00 EUR at the bank/);
  expect(output).toMatch(/F .*won, 48\.00 EUR back, 20\.00 EUR gone/);
  expect(output).toMatch(/G .*lost, 51\.00 EUR owed and paid by what came next/);
  expect(output.match(/saga http:\/\/\S+\/workflows\/booking%3A/g)).toHaveLength(4);
  expect(output.match(/saga http:\/\/\S+\/workflows\/payout%3A/g)).toHaveLength(2);
  expect(output.match(/saga http:\/\/\S+\/workflows\/dispute%3A/g)).toHaveLength(2);
  // Of 48.00 and 60.00 EUR Stripe has kept 0.92 and 1.09 for the charge, and 20.00 for the dispute.
  const inBalance = [...output.matchAll(/of this payment Stripe's balance has (\S+) after all fees/g)];
  expect(inBalance.map(([, amount]) => Number(amount))).toEqual([-2_092, 4_800 - 2_092, -2_109]);
  expect(livingChildren(dataDir)).toEqual([]);
});

test.each(['sk_live_0123456789', 'rk_live_0123456789'])(
  'a live Stripe key (%s) is refused before anything starts',
  async (key) => {
    const { code, output } = await demo({ STRIPE_SECRET_KEY: key, STRIPE_PUBLISHABLE_KEY: 'pk_live_0123456789' });
    expect(code).toBe(1);
    expect(output).toContain('STRIPE_SECRET_KEY is a live key, and the demo charges cards');
  },
);
