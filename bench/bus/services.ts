import { loadConfig } from '../../platform/config';
import { createSagas } from '../../platform/temporal';
import { services } from '../../services';
import { noBus } from '../../tests/support/service';

// `node services.js`: all services in one process, as `main.js` runs them, with a bus of which others have the lease and on which nothing
// happens. No event is published and none is read; all else is the product's.

async function main(): Promise<void> {
  const config = loadConfig(process.env, 'no-env-file');
  const sagas = createSagas(config);
  const platform = { config, sagas, bus: noBus };
  const running = await Promise.all(Object.values(services).map((start) => start(platform)));
  const stop = async () => {
    await Promise.allSettled(running.map((service) => service.close()));
    await sagas.close();
    process.exit(0);
  };
  process.once('SIGTERM', () => void stop());
  process.once('disconnect', () => process.exit(1)); // the benchmark that started this process is gone
  process.send?.({ port: config.servicePort.gateway });
}

main().catch((error: unknown) => {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});
