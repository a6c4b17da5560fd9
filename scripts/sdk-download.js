// `node scripts/sdk-download.js dev-server|time-skipping <folder> <file>`: lets the Temporal SDK download a server into the
// folder and renames it to the file. The SDK offers no download alone: it starts the server, which is stopped at once.
// Plain JavaScript, because tests need it before anything is compiled.
const { renameSync } = require('node:fs');
const { join } = require('node:path');
const { TestWorkflowEnvironment } = require('@temporalio/testing');
const { version } = require('@temporalio/testing/package.json');

async function main([kind, folder, file]) {
  const server = { executable: { type: 'cached-download', downloadDir: folder } };
  const dev = kind === 'dev-server';
  const environment = await (dev
    ? TestWorkflowEnvironment.createLocal({ server })
    : TestWorkflowEnvironment.createTimeSkipping({ server }));
  await environment.teardown();
  renameSync(join(folder, `${dev ? 'temporal' : 'temporal-test-server'}-sdk-typescript-${version}`), file);
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
