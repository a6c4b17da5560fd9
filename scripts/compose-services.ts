import { readFileSync, writeFileSync } from 'node:fs';
import { sourcePath } from '../dev/machine/paths';
import {
  CONTEXT_NAMES,
  contextOf,
  DATABASE_CONTEXTS,
  type ModuleName,
  moduleOf,
  QUEUES,
  workerOf,
} from '../kernel/modules';
import { withMarked } from './marked';

// Writes the services and workers of docker-compose.temporal.yml, and what operators may open, from the one list. Run it from the root of the project after a change of
// kernel/modules.ts.

const ADDRESSES = '  # from kernel/modules.ts: addresses\n';
const PARTS = '  # from kernel/modules.ts: services with a database, and workers\n';
const END = '  # end\n';
const DATABASES = '      # from kernel/modules.ts: databases\n';
const DATABASES_END = '      # end\n';

/** @returns docker-compose.temporal.yml as it should be. @throws Error when a place for what is written is missing */
export function withServices(compose: string): string {
  const addressed = withMarked(compose, ADDRESSES, END, addresses());
  const services = DATABASE_CONTEXTS.map((name) => service(name, addressed.includes(`: &${name}-settings\n`)));
  const running = withMarked(addressed, PARTS, END, [...services, ...QUEUES.map(worker)].join('\n'));
  return withMarked(running, DATABASES, DATABASES_END, DATABASE_CONTEXTS.map(operatorsDatabase).join(''));
}

function addresses(): string {
  return CONTEXT_NAMES.filter((name) => name !== 'gateway')
    .map((name) => `  ${name.toUpperCase()}_URL: http://${name}:${contextOf(name).port}\n`)
    .join('');
}

/** `hasSettings`: beside what every service is told, it is told what the file has under `x-<name>`. */
function service(name: (typeof DATABASE_CONTEXTS)[number], hasSettings: boolean): string {
  const upper = name.toUpperCase();
  const password = `\${${upper}_DATABASE_PASSWORD:?scripts/compose-env.ts derives it from DATABASE_ROLE_SECRET}`;
  return `  ${name}:
    <<: *service
${profile([moduleOf(name)])}    command: [${name}]
    environment:
      <<: [*environment, *bus-reader, *bus-appender${hasSettings ? `, *${name}-settings` : ''}]
      ${upper}_DATABASE_URL: &${name}-database-url postgres://${name}:${password}@postgres:5432/${name}_db
`;
}

/** Operators open the database of each context. */
const operatorsDatabase = (name: string) => `      ${name.toUpperCase()}_DATABASE_URL: *${name}-database-url\n`;

function worker({ name, contexts }: (typeof QUEUES)[number]): string {
  return `  worker-${name}:
    <<: *worker
${profile(contexts.map(moduleOf))}    command: ["${workerOf(name)}"]
`;
}

/** What belongs to no module but such as can be switched off has a profile of each. */
function profile(modules: ModuleName[]): string {
  const names: string[] = [...new Set<string>(modules)];
  return names.includes('core') ? '' : `    profiles: [${names.join(', ')}]\n`;
}

/** Compiled, this file is dist/scripts/compose-services.js. */
if (require.main === module) {
  const path = sourcePath('docker-compose.temporal.yml');
  writeFileSync(path, withServices(readFileSync(path, 'utf8')));
}
