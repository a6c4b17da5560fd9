import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const root = mkdtempSync(join(tmpdir(), 'tutorconnect-dist-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const clean = () => execFileSync(process.execPath, [join(__dirname, 'clean-dist.js'), root]);

function write(...files: string[]): void {
  for (const file of files) {
    mkdirSync(dirname(join(root, file)), { recursive: true });
    writeFileSync(join(root, file), '');
  }
}

const compiled = (file: string) => join('dist', file);

test('what was compiled from a file that is gone goes, and nothing else', () => {
  clean(); // where nothing was compiled
  write('services/door/index.ts', 'scripts/plain.js');
  const kept = ['services/door/index.js', 'services/door/index.js.map', 'scripts/plain.js'].map(compiled);
  const others = ['workflow-bundle.js', 'workflow-bundle.made-of', '.tsbuildinfo'].map(compiled);
  const gone = ['services/door.js', 'services/door.js.map'].map(compiled);
  write(...kept, ...others, ...gone);
  clean();
  for (const file of [...kept, ...others]) expect([file, existsSync(join(root, file))]).toEqual([file, true]);
  for (const file of gone) expect([file, existsSync(join(root, file))]).toEqual([file, false]);
});
