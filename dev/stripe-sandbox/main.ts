/** The Stripe sandbox as a process of its own. Settings come from the environment; see README.md. */
import path from 'node:path';
import { z } from 'zod';
import { startStripeSandbox } from './server';

const environment = z.object({
  STRIPE_SANDBOX_PORT: z.coerce.number().int().min(0).max(65535).default(8420),
  DATA_DIR: z.string().min(1).default('.data'),
  STRIPE_WEBHOOK_URL: z.url({ protocol: /^https?$/ }).optional(),
  STRIPE_WEBHOOK_SECRET: z.string().min(1).optional(),
  STRIPE_CONNECT_WEBHOOK_SECRET: z.string().min(1).optional(),
});

async function main(): Promise<void> {
  const parsed = environment.safeParse(process.env);
  if (!parsed.success) throw new Error(z.prettifyError(parsed.error));
  const settings = parsed.data;
  const dataDir = path.resolve(settings.DATA_DIR, 'stripe-sandbox');
  const sandbox = await startStripeSandbox({
    port: settings.STRIPE_SANDBOX_PORT,
    dataDir,
    webhookUrl: settings.STRIPE_WEBHOOK_URL,
    webhookSecret: settings.STRIPE_WEBHOOK_SECRET,
    connectWebhookSecret: settings.STRIPE_CONNECT_WEBHOOK_SECRET,
  });
  const webhooks = settings.STRIPE_WEBHOOK_URL ?? 'the endpoint set last';
  console.log(`stripe sandbox ready on ${sandbox.url}, data in ${dataDir}, webhooks to ${webhooks}`);

  const stop = () => {
    sandbox.close().then(
      () => process.exit(0),
      (error: unknown) => fail(error),
    );
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
}

function fail(error: unknown): never {
  console.error(`stripe sandbox: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

main().catch(fail);
