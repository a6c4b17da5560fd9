/**
 * The code of a system error (`ENOENT`, `EEXIST`). The error is known by its shape, because Node's own errors are of
 * another realm under Jest.
 */
export function errorCode(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined;
}

/** What an error says to a person. */
export function messageOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error);
}
