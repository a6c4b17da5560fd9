import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { decodeJwt } from 'jose';
import { uuidv7 } from '../../../platform/ids';
import { type Accounts, expectProblem, startAccounts } from '../../../tests/support/accounts';

let accounts: Accounts;
const folder = mkdtempSync(join(tmpdir(), 'tutorconnect-client-'));

beforeAll(async () => {
  accounts = await startAccounts();
});
afterEach(() => accounts.settle());
afterAll(async () => {
  await accounts.close();
  rmSync(folder, { recursive: true, force: true });
});

/** A client as the reference asks of it: it notes the id before it asks, and what it got after. In between it waits to be told to go on. */
const CLIENT = `
  const { randomUUID } = require('node:crypto');
  const { readFileSync, writeFileSync } = require('node:fs');
  const [url, notebook] = process.argv.slice(1);
  const noted = JSON.parse(readFileSync(notebook, 'utf8'));
  noted.refreshId ??= randomUUID();
  writeFileSync(notebook, JSON.stringify(noted));
  fetch(url + '/api/auth/refresh', {
    method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(noted),
  }).then(async (reply) => {
    const { tokens } = await reply.json();
    process.stdout.write(reply.status + '\\n');
    process.stdin.once('data', () => {
      writeFileSync(notebook, JSON.stringify({ refreshToken: tokens.refreshToken }));
      process.exit();
    });
  });
`;

function startClient(notebook: string) {
  const child = spawn(process.execPath, ['-e', CLIENT, accounts.service.url, notebook], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(child, 'close');
  const answered = once(createInterface({ input: child.stdout }), 'line').then(([line]) => Number(line));
  return { child, ended, answered };
}

test('a client that is killed between the answer and its note goes on with its session', async () => {
  const { refreshToken, accessToken } = await accounts.signUp();
  const notebook = join(folder, 'notebook.json');
  writeFileSync(notebook, JSON.stringify({ refreshToken }));
  const noted = () => JSON.parse(readFileSync(notebook, 'utf8'));

  const killed = startClient(notebook);
  expect(await killed.answered).toBe(200);
  killed.child.kill('SIGKILL');
  await killed.ended;
  expect(noted()).toEqual({ refreshToken, refreshId: expect.any(String) });

  const next = startClient(notebook);
  expect(await next.answered).toBe(200);
  next.child.stdin.write('go on\n');
  await next.ended;
  expect(noted().refreshToken).not.toBe(refreshToken);
  const reply = await accounts.refresh(noted().refreshToken, uuidv7());
  expect(reply.status).toBe(200);
  expect(decodeJwt(reply.body.tokens.accessToken).sid).toBe(decodeJwt(accessToken).sid);
});

test('a repeat answers the same refresh token with an access token of its own', async () => {
  const { refreshToken } = await accounts.signUp();
  const refreshId = uuidv7();
  const [first, second] = [
    await accounts.refresh(refreshToken, refreshId),
    await accounts.refresh(refreshToken, refreshId.toUpperCase()),
  ];
  expect([first.status, second.status]).toEqual([200, 200]);
  expect(second.headers['cache-control']).toBe('no-store');
  const { refreshToken: given, refreshTokenExpiresAt } = first.body.tokens;
  expect(second.body.tokens).toMatchObject({ refreshToken: given, refreshTokenExpiresAt });
  expect(second.body.tokens.accessToken).not.toBe(first.body.tokens.accessToken);
  for (const { body } of [first, second]) expect((await accounts.me(body.tokens.accessToken)).status).toBe(200);
});

test('of ten tabs at once under ten ids one is answered, under one id all are, with one refresh token', async () => {
  const [apart, together] = [await accounts.signUp(), await accounts.signUp()];
  const alone = await Promise.all(Array.from({ length: 10 }, () => accounts.refresh(apart.refreshToken, uuidv7())));
  expect(alone.map(({ status }) => status).sort()).toEqual([200, ...Array(9).fill(401)]);
  const one = uuidv7();
  const same = await Promise.all(Array.from({ length: 10 }, () => accounts.refresh(together.refreshToken, one)));
  expect(same.map(({ status }) => status)).toEqual(Array(10).fill(200));
  expect(new Set(same.map(({ body }) => body.tokens.refreshToken)).size).toBe(1);
  for (const { accessToken } of [apart, together]) expect((await accounts.me(accessToken)).status).toBe(200);
});

test('a spent token that comes again once its successor was used ends the session', async () => {
  const { refreshToken, accessToken } = await accounts.signUp();
  const second = (await accounts.refresh(refreshToken)).body.tokens;
  const third = (await accounts.refresh(second.refreshToken)).body.tokens;
  expect((await accounts.me(accessToken)).status).toBe(200);
  expectProblem(await accounts.refresh(refreshToken), 401, 'invalid_refresh_token');
  expectProblem(await accounts.me(third.accessToken), 401, 'unauthenticated');
  expectProblem(await accounts.refresh(third.refreshToken), 401, 'invalid_refresh_token');
});

test('an id of a refresh that is none is refused, and the token is not spent', async () => {
  const { refreshToken } = await accounts.signUp();
  expectProblem(await accounts.refresh(refreshToken, 'mine'), 422, 'validation_failed');
  expect((await accounts.refresh(refreshToken)).status).toBe(200);
});
