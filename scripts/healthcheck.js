// The container's health check: its first process answers /healthz on its management port, and so does every service that it
// was told to run on its own. A worker has no port of its own, and one that fails ends its process.
const { readFileSync } = require('node:fs');
const { CONTEXT_NAMES, contextOf, MANAGEMENT_PORT } = require('./dist/kernel/modules.js');

const words = readFileSync('/proc/1/cmdline', 'utf8').split('\0').filter(Boolean);
const given = words.slice(words.findIndex((word) => word.endsWith('main.js')) + 1);
const runs = (name) => given.includes(name) || given.includes('all') || given.includes('services');

async function answers([name, port]) {
  const chosen = process.env[`${name.toUpperCase()}_PORT`] || port;
  const response = await fetch(`http://127.0.0.1:${chosen}/healthz`, { signal: AbortSignal.timeout(3_000) });
  if (!response.ok) throw new Error(`${name} answers ${response.status}`);
}

const services = CONTEXT_NAMES.filter(runs);
const ports = [['management', MANAGEMENT_PORT], ...services.map((name) => [name, contextOf(name).port])];

Promise.all(ports.map(answers)).then(
  () => process.exit(0),
  (error) => {
    console.error(error.message);
    process.exit(1);
  },
);
