import type { Request, Response } from 'express';
import type { z } from 'zod';
import { StripeProblem } from '../memory/errors';
import type { Store } from '../memory/store';
import { NO_REQUEST } from '../memory/tables';
import type { Tx } from '../memory/unit-of-work';

/** Reads a control body, or answers 422 with what is wrong with it. */
export function readBody<T>(schema: z.ZodType<T>, req: Request, res: Response): T | undefined {
  const parsed = schema.safeParse(req.body ?? {});
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  res.status(422).json({ error: 'invalid_body', errors });
  return undefined;
}

/** Answers with the object as it is then, or with the refusal in Stripe's form. */
export async function answer(store: Store, res: Response, account: string, work: (tx: Tx) => object): Promise<void> {
  try {
    res.json(await store.transact(account, NO_REQUEST, work));
  } catch (error) {
    if (!(error instanceof StripeProblem)) throw error;
    res.status(error.status).json({ error: error.fields });
  }
}
