/**
 * What the module at the absolute `path` exports as `name`: for rooms that are found by the one list, not by an import that somebody
 * has to add. The caller says what it is.
 * @throws Error when the module exports no such thing
 */
export function exportOf<Value>(path: string, name: string): Value {
  const room: Readonly<Record<string, Value>> = require(path);
  const value = room[name];
  if (value === undefined) throw new Error(`${path} exports no ${name}`);
  return value;
}
