/** A 200 with `body`. */
export function ok<Body>(body: Body) {
  return { status: 200, body } as const;
}

/** A 201 with `body`. */
export function created<Body>(body: Body) {
  return { status: 201, body } as const;
}

/** A 204: done, and there is nothing to show. */
export const done = { status: 204, body: undefined } as const;
