/** What was asked lately, for people and tests that want to see the traffic. In memory: a restart empties it. */
export interface LoggedRequest {
  at: string;
  requestId: string;
  method: string;
  path: string;
  account: string | null;
  idempotencyKey: string | null;
  /** Null while it is being answered, or if the connection was closed instead. */
  status: number | null;
  replayed: boolean;
  fault: string | null;
  durationMs: number | null;
}

const KEPT = 1000;

export type RequestLog = ReturnType<typeof createRequestLog>;

/** An empty log; an entry may still be completed after it was added. */
export function createRequestLog() {
  const entries: LoggedRequest[] = [];
  return {
    add(entry: LoggedRequest): LoggedRequest {
      entries.push(entry);
      if (entries.length > KEPT) entries.shift();
      return entry;
    },
    /** Newest first. */
    list(limit: number): LoggedRequest[] {
      return entries.slice(-limit).reverse();
    },
    clear(): void {
      entries.length = 0;
    },
  };
}
