/** Reading and changing the store: all changes of one request or job, and the view of them that one account has. */
import { createHash } from 'node:crypto';
import type Stripe from 'stripe';
import { noSuch } from './errors';
import { Staged } from './staged';
import type {
  Job,
  JobTask,
  OnboardingLink,
  Origin,
  Queue,
  Row,
  SandboxEvent,
  Settings,
  Tables,
  WebhookEndpoints,
} from './tables';

function stage(tables: Tables) {
  return {
    paymentIntents: new Staged(tables.paymentIntents),
    setupIntents: new Staged(tables.setupIntents),
    charges: new Staged(tables.charges),
    refunds: new Staged(tables.refunds),
    transfers: new Staged(tables.transfers),
    reversals: new Staged(tables.reversals),
    balanceTransactions: new Staged(tables.balanceTransactions),
    customers: new Staged(tables.customers),
    accounts: new Staged(tables.accounts),
    bankAccounts: new Staged(tables.bankAccounts),
    onboardingLinks: new Staged(tables.onboardingLinks),
    payouts: new Staged(tables.payouts),
    disputes: new Staged(tables.disputes),
    paymentMethods: new Staged(tables.paymentMethods),
    events: new Staged(tables.events),
    links: new Staged(tables.links),
    funds: new Staged(tables.funds),
    fundsToCome: new Staged(tables.fundsToCome),
    jobs: new Staged(tables.jobs),
    replies: new Staged(tables.replies),
    replyAges: new Staged(tables.replyAges),
    counters: new Staged(tables.counters),
  };
}

interface Circumstances {
  origin: Origin;
  settings: Settings;
  endpoints: WebhookEndpoints;
}

/**
 * All changes of one request or job. They are only noted until `flush`, which the store calls inside its transaction once
 * the work has succeeded.
 */
export class UnitOfWork {
  /** One instant for everything the work does. */
  readonly now = Date.now();
  readonly staged: ReturnType<typeof stage>;
  readonly origin: Origin;
  readonly settings: Settings;
  readonly webhookEndpoints: WebhookEndpoints;
  /** When the earliest job added here is due, by queue. */
  readonly wakeUps = new Map<Queue, number>();

  constructor(tables: Tables, { origin, settings, endpoints }: Circumstances) {
    this.staged = stage(tables);
    this.origin = origin;
    this.settings = settings;
    this.webhookEndpoints = endpoints;
  }

  nextSeq(): number {
    const seq = (this.staged.counters.get('seq') ?? 0) + 1;
    this.staged.counters.put('seq', seq);
    return seq;
  }

  schedule(queue: Queue, dueAt: number, account: string, task: JobTask, seq = this.nextSeq()): void {
    this.staged.jobs.put([queue, dueAt, seq], { seq, dueAt, account, task });
    this.wakeUps.set(queue, Math.min(dueAt, this.wakeUps.get(queue) ?? dueAt));
  }

  /** False if the job was done, moved or reset meanwhile. */
  unschedule(queue: Queue, job: Job): boolean {
    const key = [queue, job.dueAt, job.seq];
    if (this.staged.jobs.get(key) === undefined) return false;
    this.staged.jobs.remove(key);
    return true;
  }

  /** Forgets every change so far, for a request that was refused half-way but whose reply must be kept. */
  discard(): void {
    for (const staged of Object.values(this.staged)) staged.discard();
    this.wakeUps.clear();
  }

  flush(): void {
    for (const staged of Object.values(this.staged)) staged.flush();
  }
}

/** LMDB throws on keys over 1,978 bytes: long links, such as a transfer group of 5,000 characters, go by their hash. */
const LONGEST_LINK = 200;

function linkKey(link: string): string {
  return link.length <= LONGEST_LINK ? link : createHash('sha256').update(link).digest('base64url');
}

interface ListOptions {
  /** Only objects with this link, such as `customer:cus_…`. */
  link?: string;
  startingAfter?: string;
  endingBefore?: string;
}

/** The objects of one kind that belong to one account. */
export class Collection<T extends { id: string }> {
  constructor(
    private readonly unit: UnitOfWork,
    private readonly rows: Staged<Row<T>>,
    private readonly account: string,
    private readonly noun: string,
  ) {}

  find(id: string): T | undefined {
    return this.row(id)?.value;
  }

  /** @throws StripeProblem `resource_missing`; 400 if `param` names the parameter that refers to the object, else 404. */
  get(id: string, param?: string): T {
    const value = this.find(id);
    if (value === undefined) throw noSuch(this.noun, id, param);
    return value;
  }

  add<V extends T>(value: V, links: string[] = []): V {
    const seq = this.unit.nextSeq();
    this.rows.put(value.id, { seq, account: this.account, value });
    for (const link of ['', ...links])
      this.unit.staged.links.put([this.noun, this.account, linkKey(link), seq], value.id);
    return value;
  }

  save<V extends T>(value: V): V {
    const row = this.row(value.id);
    if (row === undefined) throw new Error(`${this.noun} ${value.id} was never added`);
    this.rows.put(value.id, { ...row, value });
    return value;
  }

  /** Makes an object selectable by one more link; a link that no longer holds is filtered by the list's own check. */
  link(id: string, link: string): void {
    const row = this.row(id);
    if (row !== undefined) this.unit.staged.links.put([this.noun, this.account, linkKey(link), row.seq], id);
  }

  /** Newest first; oldest first, from there, with `endingBefore`. */
  *list({ link = '', startingAfter, endingBefore }: ListOptions = {}): Generator<T> {
    const prefix = [this.noun, this.account, linkKey(link)];
    const { links } = this.unit.staged;
    const ids =
      endingBefore === undefined
        ? links.newestFirst(prefix, this.seqOf(startingAfter, 'starting_after'))
        : links.oldestFirst(prefix, this.seqOf(endingBefore, 'ending_before'));
    for (const id of ids) {
      const value = this.find(id);
      if (value !== undefined) yield value;
    }
  }

  private row(id: string): Row<T> | undefined {
    // LMDB throws on keys over 1,978 bytes; no id is anywhere near that long.
    const row = id.length > 255 ? undefined : this.rows.get(id);
    return row?.account === this.account ? row : undefined;
  }

  private seqOf(id: string | undefined, param: string): number | undefined {
    if (id === undefined) return undefined;
    const row = this.row(id);
    if (row === undefined) throw noSuch(this.noun, id, param);
    return row.seq;
  }
}

/** A unit of work seen as one account: what the `Stripe-Account` header selects. */
export class Tx {
  readonly paymentIntents: Collection<Stripe.PaymentIntent>;
  readonly setupIntents: Collection<Stripe.SetupIntent>;
  readonly charges: Collection<Stripe.Charge>;
  readonly refunds: Collection<Stripe.Refund>;
  readonly transfers: Collection<Stripe.Transfer>;
  readonly reversals: Collection<Stripe.TransferReversal>;
  readonly balanceTransactions: Collection<Stripe.BalanceTransaction>;
  readonly customers: Collection<Stripe.Customer | Stripe.DeletedCustomer>;
  readonly accounts: Collection<Stripe.Account | Stripe.DeletedAccount>;
  readonly bankAccounts: Collection<Stripe.BankAccount | Stripe.DeletedBankAccount>;
  readonly onboardingLinks: Collection<OnboardingLink>;
  readonly payouts: Collection<Stripe.Payout>;
  readonly disputes: Collection<Stripe.Dispute>;
  readonly paymentMethods: Collection<Stripe.PaymentMethod>;
  readonly events: Collection<SandboxEvent>;

  constructor(
    readonly unit: UnitOfWork,
    readonly account: string,
  ) {
    const { staged } = unit;
    this.paymentIntents = new Collection(unit, staged.paymentIntents, account, 'payment_intent');
    this.setupIntents = new Collection(unit, staged.setupIntents, account, 'setupintent');
    this.charges = new Collection(unit, staged.charges, account, 'charge');
    this.refunds = new Collection(unit, staged.refunds, account, 'refund');
    this.transfers = new Collection(unit, staged.transfers, account, 'transfer');
    this.reversals = new Collection(unit, staged.reversals, account, 'transfer reversal');
    this.balanceTransactions = new Collection(unit, staged.balanceTransactions, account, 'balance transaction');
    this.customers = new Collection(unit, staged.customers, account, 'customer');
    this.accounts = new Collection(unit, staged.accounts, account, 'account');
    this.bankAccounts = new Collection(unit, staged.bankAccounts, account, 'external account');
    this.onboardingLinks = new Collection(unit, staged.onboardingLinks, account, 'account link');
    this.payouts = new Collection(unit, staged.payouts, account, 'payout');
    this.disputes = new Collection(unit, staged.disputes, account, 'dispute');
    this.paymentMethods = new Collection(unit, staged.paymentMethods, account, 'PaymentMethod');
    this.events = new Collection(unit, staged.events, account, 'event');
  }

  as(account: string): Tx {
    return new Tx(this.unit, account);
  }

  /** Now, in the seconds of Stripe's `created`. */
  get seconds(): number {
    return Math.floor(this.unit.now / 1000);
  }
}
