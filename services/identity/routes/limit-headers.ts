import { ProblemError } from '../../../kernel/errors';

/** Has a refusal tell of the limit as well: who guesses passwords or codes is to see what is left. */
export async function telling<Reply>(headers: Record<string, string>, answer: () => Promise<Reply>): Promise<Reply> {
  try {
    return await answer();
  } catch (error) {
    if (!(error instanceof ProblemError)) throw error;
    const { code, detail, more } = error;
    throw new ProblemError(code, detail, { ...more, headers: { ...headers, ...more.headers } });
  }
}
