import type { Reply } from './service';

/** What every refusal must be: a problem of the documented form that tells nothing about the server. */
export function expectProblem(reply: Reply, status: number | number[], code?: string) {
  expect([status].flat()).toContain(reply.status);
  expect(reply.headers['content-type']).toMatch(/^application\/problem\+json/);
  expect(reply.body).toMatchObject({ status: reply.status, code: code ?? expect.any(String) });
  expect(JSON.stringify(reply.body)).not.toMatch(/node_modules|\.[jt]s:\d|select |insert |postgres/i);
}
