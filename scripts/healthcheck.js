// The container's health check: every service that its first process was told to run answers /healthz. A worker has no
// port: it is healthy as long as its process lives, and a worker that fails ends its process.
const { readFileSync } = require('node:fs');
const { CONTEXTS } = require('./dist/kernel/contexts.js');

const words = readFileSync('/proc/1/cmdline', 'utf8').split('\0').filter(Boolean);
const given = words.slice(words.findIndex((word) => word.endsWith('main.js')) + 1);
const runs = (name) => given.includes(name) || given.includes('all') || given.includes('services');

async function answers(name) {
  const port = process.env[`${name.toUpperCase()}_PORT`] || CONTEXTS[name].port;
  const response = await fetch(`http://127.0.0.1:${port}/healthz`, { signal: AbortSignal.timeout(3_000) });
  if (!response.ok) throw new Error(`${name} answers ${response.status}`);
}

Promise.all(Object.keys(CONTEXTS).filter(runs).map(answers)).then(
  () => process.exit(0),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
