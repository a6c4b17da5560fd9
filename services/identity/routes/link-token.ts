/** A token as it is issued: nothing in it could be markup. */
const TOKEN = /^[\w-]{1,512}$/;

/** The token that a link or its form has; undefined where it is none. */
export function tokenIn(fields: unknown): string | undefined {
  const token = textIn(fields, 'token');
  return token !== undefined && TOKEN.test(token) ? token : undefined;
}

/** The text of a field of a link or a form; undefined where there is none, or there are several. */
export function textIn(fields: unknown, name: string): string | undefined {
  const text = new Map<string, unknown>(Object.entries(fields ?? {})).get(name);
  return typeof text === 'string' ? text : undefined;
}
