import { z } from 'zod';
import type { StripeProblem } from '../memory/errors';
import type { Tx } from '../memory/unit-of-work';
import { expandAll } from './expand';
import { expand, parseParams } from './form';

/** One API call under way. */
export interface Call {
  tx: Tx;
  /** The object in the path, such as `pi_…`; empty if the path names none. */
  id: string;
  /** The second object in the path, as in `/v1/transfers/:id/reversals/:sub`. */
  sub: string;
  /** Where people reach the sandbox's own pages. */
  baseUrl: string;
  /** Whose key it was asked with: that of the server, or the one that browsers know. */
  key: KeyKind;
}

export type KeyKind = 'secret' | 'publishable';

/** What a call comes to: an object, or a refusal whose effects stay (a declined charge leaves a failed charge). */
export type Outcome = { body: object } | { problem: StripeProblem };

export interface Endpoint {
  method: 'GET' | 'POST' | 'DELETE';
  path: string;
  /** Whether a publishable key may ask for it. */
  publishable?: true;
  /**
   * Reads the parameters and does the work.
   * @throws StripeProblem for every refusal without effects
   */
  execute(call: Call, form: unknown): Outcome;
}

type Run<P> = (call: Call, params: P) => Outcome;

function endpoint<P extends { expand?: string[] }>(
  method: Endpoint['method'],
  path: string,
  schema: z.ZodType<P>,
  run: Run<P>,
): Endpoint {
  return {
    method,
    path,
    execute(call, form) {
      const params = parseParams(schema, form);
      const outcome = run(call, params);
      return 'body' in outcome ? ok(expandAll(call.tx, outcome.body, params.expand)) : outcome;
    },
  };
}

/** An endpoint by its method: parameters are read with the schema before anything runs. */
export const get = <P extends { expand?: string[] }>(path: string, schema: z.ZodType<P>, run: Run<P>) =>
  endpoint('GET', path, schema, run);
export const post = <P extends { expand?: string[] }>(path: string, schema: z.ZodType<P>, run: Run<P>) =>
  endpoint('POST', path, schema, run);
export const del = <P extends { expand?: string[] }>(path: string, schema: z.ZodType<P>, run: Run<P>) =>
  endpoint('DELETE', path, schema, run);

/** Opens an endpoint to browsers, that is to publishable keys. */
export const forBrowsers = (endpoint: Endpoint): Endpoint => ({ ...endpoint, publishable: true });

/** The parameters of a request that has none of its own. */
export const noParams = z.strictObject({ expand: expand() });

export function ok(body: object): Outcome {
  return { body };
}
