import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils';
import { z } from 'zod';
import { errorCode, messageOf } from '../dev/machine/error-code';
import { sourcePath } from '../dev/machine/paths';
import { loadConfig } from '../platform/config';
import { GRPC, isGrpc } from '../platform/temporal-namespace';

// Stores the history of a saga as a test case of `workflows/replay.test.ts`. Compiled: dist/scripts/record-history.js.

const USAGE = `npm run record-history -- <workflowId> [name]

Writes workflows/histories/<saga>/<name>.v1.json from the Temporal server of TEMPORAL_ADDRESS (or TEMPORAL_PORT on this
machine) and TEMPORAL_NAMESPACE. The name says what the history shows (cancelled-by-student); default is the id. A history that
is stored stays: after a change of the saga, record it as <name>.v2 beside the first.`;

const CONNECT_WITHIN_MS = 5_000;

/** What keeps a history from being stored; for a person to read. */
export class RecordingError extends Error {
  override readonly name = 'RecordingError';
}

/** A keyword as a history holds it: JSON in base64. That of a child is a list. */
const keywordSchema = z
  .looseObject({ data: z.base64() })
  .transform(({ data }) => saidSchema.parse(JSON.parse(Buffer.from(data, 'base64').toString())));
const saidSchema = z.union([z.string(), z.tuple([z.string()]).transform(([only]) => only)]);
const startedSchema = z.looseObject({
  workflowExecutionStartedEventAttributes: z.looseObject({
    searchAttributes: z.looseObject({ indexedFields: z.looseObject({ SagaKind: z.unknown() }) }),
  }),
});
// Events are stored with their members in the order in which they came: a schema of theirs would put those it knows first.
const historySchema = z.looseObject({ events: z.array(z.record(z.string(), z.unknown())) });

/**
 * A history as the file that is stored: the JSON of `temporal workflow show -o json`, one event a line, without what belongs to
 * the machine it ran on. Nothing that a replay compares is changed.
 * @throws RecordingError when it holds something that looks like an e-mail address
 */
export function storable(historyJson: string): { saga: string; text: string } {
  const history = historySchema.parse(withoutMachine(JSON.parse(historyJson)));
  const address = findAddress(history);
  if (address) {
    throw new RecordingError(
      `The history holds what looks like an e-mail address, at ${address}. People read histories: it must not be there, and it is not stored`,
    );
  }
  const started = startedSchema.parse(history.events[0]);
  const lines = history.events.map((event) => JSON.stringify(event)).join(',\n');
  return {
    saga: keywordSchema.parse(started.workflowExecutionStartedEventAttributes.searchAttributes.indexedFields.SagaKind),
    text: `{"events":[\n${lines}\n]}\n`,
  };
}

/** The file of a history below the folder of them all. `name` may end in its version, as in `confirmed.v2`. */
export function historyFile(saga: string, name: string): string {
  return join(saga, /\.v\d+$/.test(name) ? `${name}.json` : `${name}.v1.json`);
}

/**
 * Fetches the history of `workflowId` and stores it as `<folder>/<saga>/<name>.v1.json`.
 * @returns the path of the file
 * @throws RecordingError when there is no such workflow, its history must not be stored, or one is stored under the name: sagas of the
 * code that it ran on may still run
 */
export async function recordHistory(client: Client, workflowId: string, name: string, folder: string): Promise<string> {
  const history = await client.workflow
    .getHandle(workflowId)
    .fetchHistory()
    .catch((error: unknown) => {
      if (!isGrpc(error, GRPC.NOT_FOUND)) throw error;
      const { namespace } = client.options;
      throw new RecordingError(
        `There is no workflow ${workflowId} in namespace ${namespace} (ids look like booking:<id>)`,
      );
    });
  const { saga, text } = storable(historyToJSON(history));
  const file = join(folder, historyFile(saga, name));
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text, { flag: 'wx' }).catch((error: unknown) => {
    if (errorCode(error) !== 'EEXIST') throw error;
    throw new RecordingError(`${file} is there already. It stays; record the new history as its next version (.v2)`);
  });
  return file;
}

/**
 * Removes what names the machine: names of workers and clients hold the host's name and process, and stack traces
 * hold its folders.
 */
function withoutMachine(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutMachine);
  if (!isObject(value)) return value;
  const sticky = value.kind === 'TASK_QUEUE_KIND_STICKY';
  return Object.fromEntries(
    Object.entries(value)
      .filter(([name]) => name !== 'stackTrace')
      .map(([name, member]) => [
        name,
        name === 'identity' || (sticky && name === 'name') ? 'recorded' : withoutMachine(member),
      ]),
  );
}

const ADDRESS = /[^\s"<>@:/]+@[^\s"<>@:/]+\.[a-z]{2,}/i;

/** Where something like an e-mail address stands, in plain text or inside a payload. */
function findAddress(value: unknown, path = 'history'): string | undefined {
  if (typeof value === 'string') return ADDRESS.test(value) ? path : undefined;
  if (Array.isArray(value)) return firstOf(value.map((member, index) => [`${path}[${index}]`, member]));
  if (!isObject(value)) return undefined;
  const { data } = value;
  if (typeof data === 'string' && ADDRESS.test(Buffer.from(data, 'base64').toString())) return `${path}.data`;
  return firstOf(Object.entries(value).map(([name, member]) => [`${path}.${name}`, member]));
}

function firstOf(members: [path: string, value: unknown][]): string | undefined {
  for (const [path, member] of members) {
    const found = findAddress(member, path);
    if (found) return found;
  }
  return undefined;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The client of the configured Temporal server. @throws RecordingError when it does not answer */
export async function connectClient(address: string, namespace: string): Promise<Client> {
  const connection = await Connection.connect({ address, connectTimeout: CONNECT_WITHIN_MS }).catch(
    (error: unknown) => {
      throw new RecordingError(
        `Temporal does not answer at ${address} (${messageOf(error)}): start it, or set TEMPORAL_ADDRESS`,
      );
    },
  );
  return new Client({ connection, namespace });
}

async function main([workflowId, name = workflowId?.replace(/.*:/, ''), ...more]: string[]): Promise<void> {
  if (!workflowId || !name || more.length > 0 || workflowId.startsWith('-')) throw new RecordingError(USAGE);
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(name)) throw new RecordingError(`A name is made of a-z, 0-9, - and ., not ${name}`);
  // The settings ask for a secret that is not used here.
  const config = loadConfig({ SERVICE_TOKEN_SECRET: 'x'.repeat(32), ...process.env });
  const client = await connectClient(config.TEMPORAL_ADDRESS, config.TEMPORAL_NAMESPACE);
  try {
    console.log(await recordHistory(client, workflowId, name, sourcePath('workflows/histories')));
  } finally {
    await client.connection.close();
  }
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((error: unknown) => {
    console.error(messageOf(error));
    process.exitCode = 1;
  });
}
