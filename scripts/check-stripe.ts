import { spawn } from 'node:child_process';
import { access, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { z } from 'zod';
import { cacheFolder } from '../dev/machine/cache';
import { answersAt, freePorts } from '../dev/machine/ports';
import { runCommand } from '../dev/machine/run-command';
import { loadConfig } from '../platform/config';
import { createLogger } from '../platform/telemetry';
import { reaching } from '../platform/vendors';
import { createStripe, type IntentParams, type StripeDoor } from '../services/payment/stripe/door';
import { type Description, descriptionSchema } from './answer-schemas';
import { faultsOfSandbox } from './sandbox-shapes';

/**
 * `npm run check:stripe`: sends every request that the payment service makes to stripe-mock, which compares
 * parameters and paths with Stripe's own OpenAPI description. stripe-mock keeps no state: what is asked is checked,
 * and not what comes of it. Then the sandbox is
 * asked about connected accounts, disputes and saved cards: what it takes and what it answers is to be as Stripe's description has it.
 */

const VERSION = 'v0.203.0';
const MODULE = `github.com/stripe/stripe-mock@${VERSION}`;

const payment: IntentParams = {
  paymentId: '01900000-0000-7000-8000-000000000001',
  subject: { kind: 'booking', id: '01900000-0000-7000-8000-000000000002' },
  amount: { amount: 4_500, currency: 'EUR' },
  paymentMethodId: 'pm_card_visa',
  customerId: 'cus_123',
  capture: 'manual',
};
const direct: IntentParams = {
  ...payment,
  subject: { kind: 'direct', id: payment.paymentId },
  customerId: null,
  capture: 'automatic',
};
const student = { userId: '01900000-0000-7000-8000-000000000003', role: 'student' } as const;
const tutor = { ...student, role: 'tutor' } as const;
const person = { email: 'ada@example.com', name: 'Ada Lovelace' };
const refund = { intentId: 'pi_123', amount: { amount: 1, currency: 'EUR' }, paymentId: payment.paymentId };
const payout = { payoutId: payment.paymentId, account: 'acct_123', amount: { amount: 1, currency: 'EUR' } };
const urls = { returnUrl: 'https://tutors.example/done', refreshUrl: 'https://tutors.example/again' };
const evidence = {
  ...{ access_activity_log: 'a', cancellation_policy_disclosure: 'c', product_description: 'p' },
  ...{ service_date: 's', uncategorized_text: 'u' },
};
const since = new Date(Date.now() - 86_400_000);

/**
 * Every request of the door in each of its forms. A request that is added to the door has to be added here, or this
 * file does not compile.
 */
const requests: Record<Exclude<keyof StripeDoor, 'readEvent'>, (door: StripeDoor) => Promise<unknown>[]> = {
  createIntent: (door) => [door.createIntent('k1', payment), door.createIntent('k2', direct)],
  claimIntentKey: (door) => [door.claimIntentKey('k3', payment), door.claimIntentKey('k4', direct)],
  captureIntent: (door) => [door.captureIntent('k5', 'pi_123')],
  cancelIntent: (door) => [door.cancelIntent('k6', 'pi_123')],
  retrieveIntent: (door) => [door.retrieveIntent('pi_123')],
  findIntents: (door) => [door.findIntents(payment, since), door.findIntents(direct, since)],
  createRefund: (door) => [
    door.createRefund('k7', { ...refund, refundId: null }),
    door.createRefund('k8', { ...refund, refundId: student.userId }),
  ],
  listRefunds: (door) => [door.listRefunds('pi_123')],
  createAccount: (door) => [
    door.createAccount('k9', { ...student, ...person }),
    door.createAccount('k10', { ...tutor, ...person }),
  ],
  claimAccountKey: (door) => [door.claimAccountKey('k11', student), door.claimAccountKey('k12', tutor)],
  findAccounts: (door) => [door.findAccounts(student, since), door.findAccounts(tutor, since)],
  readAccount: (door) => [door.readAccount('acct_123')],
  createOnboardingLink: (door) => [door.createOnboardingLink('acct_123', urls)],
  createSetup: (door) => [door.createSetup('k16', 'cus_123')],
  listCards: (door) => [door.listCards('cus_123')],
  ownerOfCard: (door) => [door.ownerOfCard('pm_123')],
  detachCard: (door) => [door.detachCard('pm_123')],
  payOutByHand: (door) => [door.payOutByHand('acct_123')],
  createTransfer: (door) => [door.createTransfer('k13', payout)],
  listTransfers: (door) => [door.listTransfers(payout.payoutId)],
  reverseTransfer: (door) => [door.reverseTransfer('k14', 'tr_123')],
  listReversals: (door) => [door.listReversals('tr_123')],
  createPayout: (door) => [door.createPayout('k15', payout)],
  findPayouts: (door) => [door.findPayouts(payout, since)],
  readPayout: (door) => [door.readPayout('acct_123', 'po_123')],
  listBankAccounts: (door) => [door.listBankAccounts('acct_123')],
  readAvailable: (door) => [door.readAvailable('EUR')],
  readDispute: (door) => [door.readDispute('du_123')],
  listDisputesOf: (door) => [door.listDisputesOf('pi_123')],
  listDisputes: (door) => [door.listDisputes(since, null), door.listDisputes(since, 'du_123')],
  submitEvidence: (door) => [door.submitEvidence('k16', 'du_123', evidence)],
  closeDispute: (door) => [door.closeDispute('k17', 'du_123')],
  deleteAccount: (door) => [door.deleteAccount('cus_123'), door.deleteAccount('acct_123')],
};

interface Seen {
  line: string;
  status: number;
  /** Stripe's words when it refused. */
  refusal: string | undefined;
}

async function main(): Promise<void> {
  const binary = await stripeMock();
  const [http = 0, https = 0, front = 0] = await freePorts(3);
  const address = (port: number) => `127.0.0.1:${port}`;
  const mock = spawn(binary, ['-http-addr', address(http), '-https-addr', address(https)], { stdio: 'ignore' });
  const watch = await watchOn(front, http);
  try {
    for (let tries = 0; !(await answersAt(http)); tries++) {
      if (tries > 100 || mock.exitCode !== null) throw new Error('stripe-mock did not start');
      await sleep(100);
    }
    await check(watch);
    await checkSandbox(`http://${address(http)}`);
  } finally {
    mock.kill('SIGKILL');
    watch.close();
  }
}

async function check({ url, seen }: Pick<Watch, 'url' | 'seen'>): Promise<void> {
  const environment = {
    SERVICE_TOKEN_SECRET: 'x'.repeat(32),
    STRIPE_API_BASE: url,
    STRIPE_SECRET_KEY: 'sk_test_123',
    STRIPE_PUBLISHABLE_KEY: 'pk_test_123',
  };
  const door = createStripe(loadConfig(environment, 'no-env-file'), createLogger('check-stripe', 'error'));

  const authorization = `Bearer ${environment.STRIPE_SECRET_KEY}`;
  const planted = await request(`${url}/v1/payment_intents`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
    body: 'amount=100&currency=eur&capture_methd=manual',
  });
  await planted.body.dump();
  if (planted.statusCode !== 400)
    throw new Error('stripe-mock does not notice a misspelt parameter: it checks nothing');
  seen.length = 0;

  for (const [name, send] of Object.entries(requests)) {
    const before = seen.length;
    // This check does not care what the door makes of the canned answer. Refusals were seen on the way.
    await reaching('stripe', () => Promise.allSettled(send(door)));
    if (seen.length === before) throw new Error(`${name} sent nothing`);
    for (const { line, status } of seen.slice(before)) console.log(`${status} ${name}: ${line}`);
  }
  const refused = seen.filter(({ status }) => status >= 400);
  if (refused.length > 0) {
    throw new Error(
      `Stripe would refuse:\n${refused.map(({ line, refusal }) => `  ${line}\n    ${refusal}`).join('\n')}`,
    );
  }
  console.log(`Stripe's own description allows all ${seen.length} requests (stripe-mock ${VERSION})`);
}

async function checkSandbox(mockUrl: string): Promise<void> {
  const { asked, faults } = await faultsOfSandbox(mockUrl, await description());
  if (faults.length > 0) throw new Error(`The sandbox is not as Stripe describes itself:\n  ${faults.join('\n  ')}`);
  console.log(`The sandbox answers ${asked} requests as Stripe's description has it`);
}

interface Watch {
  url: string;
  seen: Seen[];
  close(): void;
}

/** Stands before stripe-mock and sees every answer, also those that the payment service can live without. */
async function watchOn(port: number, behind: number): Promise<Watch> {
  const seen: Seen[] = [];
  const server = createServer(async (asked, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of asked) chunks.push(chunk);
    const { host: _, connection: __, 'content-length': ___, ...headers } = asked.headers;
    const answer = await request(`http://127.0.0.1:${behind}${asked.url}`, {
      method: asked.method === 'POST' ? 'POST' : asked.method === 'DELETE' ? 'DELETE' : 'GET',
      headers,
      ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
    });
    const text = await answer.body.text();
    const refusal = answer.statusCode >= 400 ? text.replaceAll(/\s+/g, ' ') : undefined;
    seen.push({ line: `${asked.method} ${asked.url?.split('?')[0]}`, status: answer.statusCode, refusal });
    response.writeHead(answer.statusCode, { 'content-type': 'application/json' }).end(failedLater(asked.url, text));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${port}`,
    seen,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Says of the canned refund that it failed, so that the payment service also asks for the way back of its money. */
function failedLater(url: string | undefined, body: string): string {
  if (!url?.startsWith('/v1/refunds?')) return body;
  const list: { data: object[] } = JSON.parse(body);
  return JSON.stringify({
    ...list,
    data: list.data.map((one) => ({ ...one, failure_balance_transaction: 'txn_123' })),
  });
}

/** The cached binary, built with Go when there is none. @throws Error saying what to install */
async function stripeMock(): Promise<string> {
  const cached = join(cacheFolder(), `stripe-mock-${VERSION}`);
  const isThere = await access(cached).then(
    () => true,
    () => false,
  );
  if (isThere) return cached;
  await mkdir(cacheFolder(), { recursive: true });
  const into = await mkdtemp(join(cacheFolder(), 'stripe-mock-'));
  try {
    console.log(`Building stripe-mock ${VERSION} with Go, once`);
    const { code, output } = await runCommand('go', ['install', MODULE], {
      env: { ...process.env, GOBIN: into },
      timeoutMs: 600_000,
    });
    if (code !== 0) throw new Error(`stripe-mock could not be built; is Go installed (https://go.dev/dl)?\n${output}`);
    await rename(join(into, 'stripe-mock'), cached);
    return cached;
  } finally {
    await rm(into, { recursive: true, force: true });
  }
}

/** Stripe's description, which comes with the source of stripe-mock. @throws Error saying what to install */
async function description(): Promise<Description> {
  let said = '';
  const { code, output } = await runCommand('go', ['mod', 'download', '-json', MODULE], {
    timeoutMs: 600_000,
    onLine(line, stream) {
      if (stream === 'stdout') said += line;
    },
  });
  if (code !== 0) throw new Error(`the description could not be got; is Go installed (https://go.dev/dl)?\n${output}`);
  const { Dir: folder } = z.object({ Dir: z.string() }).parse(JSON.parse(said));
  return descriptionSchema.parse(JSON.parse(await readFile(join(folder, 'embedded', 'openapi', 'spec3.json'), 'utf8')));
}

main().then(
  () => process.exit(),
  (error: unknown) => {
    console.error(error instanceof Error ? error.message : String(error));
    process.exit(1);
  },
);
