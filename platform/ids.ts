import { v5, v7 } from 'uuid';

/** A new id: UUIDv7 (RFC 9562 §5.7), so that ids sort by the time they were made. */
export function uuidv7(): string {
  return v7();
}

/** The id of something that has a name of its own, the same every time: UUIDv5 (RFC 9562 §5.5). `space`: a UUID within which the name is one thing's. */
export function uuidOfName(space: string, name: string): string {
  return v5(name, space);
}
