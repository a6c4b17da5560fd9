import type { z } from 'zod';
import { notValid } from '../kernel/errors';

/** Where a page of a list ended, as its client hands it in for the next one. Opaque to the client. */
export interface Cursor<Position> {
  write(position: Position): string;
  /** @throws ProblemError validation_failed unless `cursor` came from this list */
  read(cursor: string): Position;
}

/** The cursor of a list whose pages end at what `schema` describes: JSON in base64url, so that it needs no escaping in a URL. */
export function listCursor<Position>(schema: z.ZodType<Position>): Cursor<Position> {
  return {
    write: (position) => Buffer.from(JSON.stringify(position)).toString('base64url'),
    read(cursor) {
      const position = schema.safeParse(parse(cursor));
      if (position.success) return position.data;
      throw notValid([{ path: 'query.cursor', message: 'is not a cursor of this list' }]);
    },
  };
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
}
