import { removeDataDir, temporaryDataDir } from '../machine/temporary-data';
import { readSettings } from '../stack/settings';
import { calendarOf } from './calendar';

let folder: string;
beforeAll(() => {
  folder = temporaryDataDir();
});
afterAll(() => removeDataDir(folder));

const NONE = { DATABASE_URL: '', PAYMENT_DATABASE_URL: '' };
const calendar = (named: Record<string, string> = {}) =>
  calendarOf(readSettings({ DATA_DIR: folder, ...NONE, ...named }, 'no-env-file-in-tests').config);

test('days pass in an embedded Postgres', () => {
  expect(calendar()).toBeDefined();
});

test.each(Object.keys(NONE))('in the Postgres that %s names the demo lets no days pass', (setting) => {
  expect(calendar({ [setting]: 'postgres://me@db.example/one' })).toBeUndefined();
});
