import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Endpoint } from '../../platform/endpoint';
import { exportOf } from '../../platform/export-of';
import type { SagaStack } from './saga-stack';
import type { Reply, TestService } from './service';

// Each step of a saga that can be taken back, with what takes it back, ready to be played in any order. Every file of `undo-scenes` has
// those of a saga, or of a context whose steps are for any saga.

export interface Asked {
  params?: Record<string, string>;
  body?: unknown;
}

/** A new thing, as it is before the step. */
export interface Scene {
  service: TestService;
  /** The step's key. */
  key: string;
  does: Asked;
  undoes: Asked;
  /** What is left of the step, to be empty once it is undone. */
  left(): Promise<unknown[]>;
}

/** A step and its undo. `step` is null where a person takes it, before there is a saga. */
export interface Pair {
  step: Endpoint | null;
  undo: Endpoint;
  prepare(stack: SagaStack): Promise<Scene>;
}

/** Calls an internal operation under `key`. */
export function call(
  service: TestService,
  operation: Endpoint,
  { params = {}, body }: Asked,
  key: string,
): Promise<Reply> {
  const path = operation.path.replaceAll(/\{(\w+)\}/g, (_, name) => String(params[name]));
  return service.internal(operation.method.toUpperCase(), path, { key, ...(body !== undefined && { body }) });
}

/** @throws Error when it was refused */
export async function succeed(asked: Promise<Reply>): Promise<Reply> {
  const reply = await asked;
  if (reply.status >= 300) throw new Error(`the scene could not be set: ${JSON.stringify(reply.body)}`);
  return reply;
}

/** What a file of `undo-scenes` exports. */
interface Scenes {
  PAIRS: Readonly<Record<string, Pair>>;
  /** Steps that nothing takes back, by operation, each with the reason. */
  FORWARD_ONLY: Readonly<Record<string, string>>;
}

/** The scenes of all files. @throws Error when two have one name */
export function undoScenes(): Scenes {
  const folder = join(__dirname, 'undo-scenes');
  const all = <Name extends keyof Scenes>(name: Name) =>
    readdirSync(folder).map((file): Scenes[Name] => exportOf(join(folder, file), name));
  return { PAIRS: joined(all('PAIRS')), FORWARD_ONLY: joined(all('FORWARD_ONLY')) };
}

function joined<Value>(records: Readonly<Record<string, Value>>[]): Record<string, Value> {
  const entries = records.flatMap((record) => Object.entries(record));
  const all = Object.fromEntries(entries);
  if (Object.keys(all).length < entries.length) throw new Error('Two files of undo-scenes have one name');
  return all;
}
