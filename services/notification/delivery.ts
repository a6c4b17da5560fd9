import { SECOND } from '../../kernel/time';
import type { ServiceDeps } from '../../platform/service';
import { counter, gauge } from '../../platform/telemetry';
import { reaching } from '../../platform/vendors';
import { withinMs } from '../../platform/within';
import { recipientSaid } from './contract';
import { CONNECTIONS, type Mailer } from './mailer';
import { recipientOf } from './recipient';
import type { SendOutcome } from './rules';
import type { FactsSealer } from './sealed-facts';
import { claimDue, countWaiting, MAILS_DUE, recordOutcome, type Sending, settleOverdue } from './store/deliveries';
import { render } from './templates';

const mails = counter('notification_mails_total', 'Attempts to send a mail, by template and outcome', [
  'template',
  'outcome',
]);
const waiting = gauge(
  'notification_mails_waiting',
  'Mails to be sent, by whether NOTIFICATION_KEY_SECRET opens them (own) or not (other)',
  ['key'],
);

/** Every record is announced. What is not is found by looking: attempts that are due again, leases that ended, announcements that were lost. */
const LOOK_EVERY_MS = SECOND;
/** How long what is not to be sent any more may lie with its facts. */
const TIDY_EVERY_MS = 5 * SECOND;
/**
 * After trouble with the database nothing is claimed for so long. Outcomes that could not be recorded go first, here and in other
 * processes: a mail whose lease has ended meanwhile would be sent again.
 */
const REST_AFTER_TROUBLE_MS = 2 * SECOND;

interface Attempted {
  sending: Sending;
  outcome: SendOutcome;
}

export interface Delivery {
  /** Claims no more, and lets what is being sent end and be recorded, within the grace of a shutdown. */
  close(): Promise<void>;
}

/**
 * Delivers what is recorded, as many mails at once as the mail server takes connections: claim, send, record. A mail server that
 * hangs holds these and nothing else. What it answered is kept until it is in the database: a mail that went out while the
 * database was away is recorded when that is back, and not sent again.
 */
export function startDelivery(
  { config, database: { db }, changes, logger }: ServiceDeps,
  mailer: Mailer,
  sealer: FactsSealer,
): Delivery {
  const underWay = new Map<string, Promise<void>>();
  const unrecorded = new Map<string, Attempted>();
  let closing = false;
  /** For all that the last look saw. */
  let moreAreDue = false;
  let wake = (): void => undefined;
  let restUntil = 0;
  let tidyAt = 0;
  let unopenedBefore = 0;

  async function attempt({ id, businessKey, createdAt, facts }: Sending): Promise<SendOutcome> {
    try {
      const message = sealer.open(businessKey, facts);
      // Asked at each attempt: an address may have changed since the notice was recorded.
      const recipient = (await recipientOf(db, message)) ?? recipientSaid(message);
      if (recipient === 'withdrawn') return { kind: 'refused', smtpCode: null, errorCode: 'EWITHDRAWN' };
      if (!recipient) throw new Error('nobody knows where the recipient is reached');
      const { name, subject, html, text } = render(message, recipient, config.PUBLIC_URL);
      const to = { name, address: recipient.email };
      const mail = { to, subject, html, text, businessKey, date: createdAt };
      return await reaching('smtp', () => mailer.send(mail));
    } catch (err) {
      logger.error({ err, notificationId: id }, 'a mail cannot be made of its facts; it is tried again');
      return { kind: 'unavailable', smtpCode: null, errorCode: 'EFACTS' };
    }
  }

  async function record(made: Attempted): Promise<void> {
    const { id, attempt } = made.sending;
    try {
      const status = await recordOutcome(db, made.sending, made.outcome);
      unrecorded.delete(id);
      if (made.outcome.kind !== 'sent')
        logger.warn({ notificationId: id, attempt, status, ...made.outcome }, 'a mail was not taken');
    } catch (err) {
      restUntil = Date.now() + REST_AFTER_TROUBLE_MS;
      if (!unrecorded.has(id)) logger.warn({ err, notificationId: id }, 'what became of a mail is recorded later');
      unrecorded.set(id, made);
    }
  }

  async function deliver(sending: Sending): Promise<void> {
    const outcome = await attempt(sending);
    mails.inc({ template: sending.template, outcome: outcome.kind });
    await record({ sending, outcome });
    underWay.delete(sending.id);
    if (moreAreDue) wake();
  }

  async function tidy(): Promise<void> {
    if (Date.now() < tidyAt) return;
    tidyAt = Date.now() + TIDY_EVERY_MS;
    await settleOverdue(db, sealer.keyId);
    const { own, other } = await countWaiting(db, sealer.keyId);
    waiting.set({ key: 'own' }, own);
    waiting.set({ key: 'other' }, other);
    if (other > unopenedBefore)
      logger.error(
        { mails: other },
        'mails are sealed with another NOTIFICATION_KEY_SECRET; they wait for a process that has it, for a day',
      );
    unopenedBefore = other;
  }

  async function look(): Promise<void> {
    for (const made of [...unrecorded.values()]) await record(made);
    if (Date.now() < restUntil) return;
    await tidy();
    const most = CONNECTIONS - underWay.size;
    moreAreDue = true;
    if (most <= 0) return;
    const except = [...underWay.keys(), ...unrecorded.keys()];
    const claimed = await claimDue(db, { keyId: sealer.keyId, most, except });
    moreAreDue = claimed.length === most;
    for (const sending of claimed) underWay.set(sending.id, deliver(sending));
  }

  async function run(): Promise<void> {
    while (!closing) {
      const change = changes.next(MAILS_DUE, LOOK_EVERY_MS);
      wake = change.stop;
      await look().catch((err: unknown) => {
        restUntil = Date.now() + REST_AFTER_TROUBLE_MS;
        logger.warn({ err }, 'mails are not looked for while the database is away');
      });
      await change.happened;
    }
  }

  const running = run();
  async function settled(): Promise<void> {
    await running;
    await Promise.all(underWay.values());
    for (const made of [...unrecorded.values()]) await record(made);
  }

  return {
    async close() {
      closing = true;
      wake();
      await withinMs(config.SHUTDOWN_GRACE_SECONDS * SECOND, settled());
    },
  };
}
