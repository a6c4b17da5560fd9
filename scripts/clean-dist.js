const { existsSync, readdirSync, rmSync } = require('node:fs');
const { join } = require('node:path');

// Removes what was compiled from files that are gone. The compiler leaves it where it is, and Node prefers a file `door.js` of before to
// the folder `door` that it has become. `node scripts/clean-dist.js [folder]`: the project's folder, this one by default.

const root = process.argv[2] ?? join(__dirname, '..');
const dist = join(root, 'dist');
/** What the build makes of no single file. */
const MADE = ['workflow-bundle.js'];

const compiled = existsSync(dist) ? readdirSync(dist, { encoding: 'utf8', recursive: true }) : [];
for (const file of compiled) {
  if (!file.endsWith('.js') || MADE.includes(file)) continue;
  if (existsSync(join(root, file)) || existsSync(join(root, file.replace(/\.js$/, '.ts')))) continue;
  rmSync(join(dist, file), { force: true });
  rmSync(join(dist, `${file}.map`), { force: true });
}
