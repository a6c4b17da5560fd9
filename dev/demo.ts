import { randomBytes } from 'node:crypto';
import pc from 'picocolors';
import { createGateway } from './demo/gateway';
import { mailView, stripeView } from './demo/outside';
import { play } from './demo/play';
import { openTheatre, type Theatre } from './demo/theatre';
import { createTimeline, summary } from './demo/timeline';
import { messageOf } from './machine/error-code';
import { untilToldToStop } from './machine/stop-signals';

const USAGE = `npm run demo              plays bookings, a payout and two disputes against the public API and says what happens
npm run demo -- --keep    leaves the platform up when it started one, so that its pages can be looked at`;

async function main(args: string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return console.log(USAGE);
  const unknown = args.filter((arg) => arg !== '--keep');
  if (unknown.length > 0) throw new Error(`There is no option ${unknown.join(', ')}\n\n${USAGE}`);
  const told = untilToldToStop();
  const started = performance.now();
  const theatre = await openTheatre({ say: (line) => console.log(pc.dim(line)), signal: told.signal });
  try {
    await Promise.race([perform(theatre, started), interrupted(told.first)]);
    if (theatre.started && args.includes('--keep')) {
      console.log(`The platform stays up at ${theatre.urls.gateway}; Ctrl-C stops it.`);
      await told.first;
    }
  } finally {
    if (theatre.started) console.log(pc.dim('Stopping what the demo started'));
    void told.second.then(() => theatre.started?.killAll());
    await theatre.started?.stop();
  }
}

async function perform(
  { urls, namespace, calendar, holder, killBookingWorker, started }: Theatre,
  since: number,
): Promise<void> {
  const timeline = createTimeline((line) => console.log(line));
  const outcomes = await play({
    run: randomBytes(4).toString('hex'),
    gateway: createGateway(urls.gateway),
    timeline,
    mails: urls.mailInbox ? mailView(urls.mailInbox) : undefined,
    stripe: urls.stripeSandbox ? stripeView(urls.stripeSandbox) : undefined,
    sagaUrl: (id) => `${urls.temporalUi}/namespaces/${namespace}/workflows/${encodeURIComponent(id)}`,
    calendar,
    holder,
    killBookingWorker,
  });
  console.log(`\n${summary(outcomes)}`);
  const took = Math.round((performance.now() - since) / 1_000);
  console.log(pc.green(`All as it should be, after ${took} s.`));
  if (started) console.log(`Look at the sagas with \`npm start\`: they are kept.`);
}

async function interrupted(told: Promise<void>): Promise<never> {
  await told;
  throw new Error('Told to stop');
}

if (require.main === module) {
  main(process.argv.slice(2)).then(
    () => process.exit(0),
    (error: unknown) => {
      console.error(pc.red(`The demo failed: ${messageOf(error)}`));
      process.exit(1);
    },
  );
}
