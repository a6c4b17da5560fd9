import type { Request, Response } from 'express';
import type { z } from 'zod';

/** Reads a control body, or answers 422 with what is wrong with it. */
export function readBody<T>(schema: z.ZodType<T>, req: Request, res: Response): T | undefined {
  const parsed = schema.safeParse(req.body ?? {});
  if (parsed.success) return parsed.data;
  const errors = parsed.error.issues.map(({ path, message }) => ({ path: path.join('.'), message }));
  res.status(422).json({ error: 'invalid_body', errors });
  return undefined;
}
