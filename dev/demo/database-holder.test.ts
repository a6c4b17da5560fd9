import { removeDataDir, temporaryDataDir } from '../machine/temporary-data';
import { readSettings } from '../stack/settings';
import { databaseHolderOf } from './database-holder';

let folder: string;
beforeAll(() => {
  folder = temporaryDataDir();
});
afterAll(() => removeDataDir(folder));

const NONE = { DATABASE_URL: '', IDENTITY_DATABASE_URL: '', PAYMENT_DATABASE_URL: '' };
const holder = (named: Record<string, string> = {}) =>
  databaseHolderOf(readSettings({ DATA_DIR: folder, ...NONE, ...named }, 'no-env-file-in-tests').config);

test('an embedded Postgres is held', () => {
  expect(holder()).toBeDefined();
});

test.each(Object.keys(NONE))('in the Postgres that %s names the demo makes nobody an administrator', (setting) => {
  expect(holder({ [setting]: 'postgres://me@db.example/one' })).toBeUndefined();
});
