/** Sets `key` as the newest of at most `most` entries; the oldest make room for it. */
export function remember<Value>(remembered: Map<string, Value>, key: string, value: Value, most: number): void {
  remembered.delete(key);
  remembered.set(key, value);
  const [oldest] = remembered.keys();
  if (remembered.size > most && oldest !== undefined) remembered.delete(oldest);
}
