/** A 200 with `body`. */
export function ok<Body>(body: Body) {
  return { status: 200, body } as const;
}
