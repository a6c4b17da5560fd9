/** What the sandbox remembers: the shape of every LMDB database, on one page. */
import type { RootDatabase } from 'lmdb';
import type Stripe from 'stripe';
import type { Key } from './staged';

/** The platform's own account in keys; connected accounts are named by their id. */
export const PLATFORM = '';

/** An object, with the account that owns it and its place in the order of creation. */
export interface Row<T> {
  seq: number;
  account: string;
  value: T;
}

/** The API request that caused a change, as events name it; both null if none did. */
export interface Origin {
  id: string | null;
  idempotency_key: string | null;
}

export const NO_REQUEST: Origin = { id: null, idempotency_key: null };

/** Stripe's event envelope. The SDK's own type pairs each type with its object, which a generic recorder cannot prove. */
export interface SandboxEvent {
  id: string;
  object: 'event';
  account?: string;
  api_version: string;
  created: number;
  data: { object: object; previous_attributes?: object };
  livemode: false;
  pending_webhooks: number;
  request: Origin;
  type: Stripe.Event['type'];
}

/** The first reply given under an idempotency key. */
export interface StoredReply {
  /** Hash of the parameters; another one under the same key is refused. */
  fingerprint: string;
  endpoint: string;
  status: number;
  body: string;
  requestId: string;
}

export interface WebhookEndpoint {
  url: string;
  secret: string;
  /** Event types to deliver; `*` is all. */
  enabledEvents: string[];
}

/** Stripe sends events of the platform itself to one endpoint, and those of its connected accounts to another. */
export interface WebhookEndpoints {
  platform: WebhookEndpoint | undefined;
  connect: WebhookEndpoint | undefined;
}

/** Which of the two hears of an account's events. */
export function endpointFor(endpoints: WebhookEndpoints, account: string): WebhookEndpoint | undefined {
  return account === PLATFORM ? endpoints.platform : endpoints.connect;
}

/** What stands behind the URL of an account link, which itself has no id. */
export interface OnboardingLink {
  /** The last part of the URL. */
  id: string;
  account: string;
  /** Seconds since 1970. */
  expiresAt: number;
  returnUrl: string;
  refreshUrl: string;
  /** A link opens once; what it opened is submitted once. */
  state: 'new' | 'opened' | 'submitted';
}

/** How the simulated banks behave; changed by `POST /sandbox/settings`. */
export interface Settings {
  /** Until a refund that will change its mind does so. */
  refundDelayMs: number;
  /** How long an authorisation can be captured: 7 days for customer-initiated card payments. */
  captureWindowMs: number;
  /** Until a charge's money can be transferred: days at Stripe, at once here, so that a demo can pay out. */
  fundsDelayMs: number;
  /** Until an `automatic_async` charge gets its balance transaction; 0 books it with the charge. */
  asyncCaptureDelayMs: number;
  /** Whether a new connected account has to be onboarded before it may receive and be paid, or may at once. */
  onboarding: 'skipped' | 'required';
  /** How long a payout is `pending` and can be cancelled. */
  payoutPendingMs: number;
  /** How long it is `in_transit` then. */
  payoutTransitMs: number;
  /** Until a payout fails that was `paid`, to an account number of that kind: up to five business days at Stripe. */
  payoutReturnMs: number;
  /** Until the charge of a card made for that is disputed: weeks in live mode, half a second in Stripe's test mode. */
  disputeDelayMs: number;
  /** Until the bank has read evidence that decides: months in live mode, some five seconds in Stripe's test mode. */
  disputeDecisionMs: number;
}

export const DEFAULT_SETTINGS: Settings = {
  refundDelayMs: 1000,
  captureWindowMs: 7 * 24 * 3600 * 1000,
  fundsDelayMs: 0,
  asyncCaptureDelayMs: 0,
  onboarding: 'skipped',
  payoutPendingMs: 500,
  payoutTransitMs: 500,
  payoutReturnMs: 1000,
  disputeDelayMs: 500,
  disputeDecisionMs: 1000,
};

/** Webhooks wait apart, so that an endpoint that is down delays no bank. */
export type Queue = 'webhook' | 'bank';

type BankTask =
  | { kind: 'settle_refund'; refund: string }
  | { kind: 'expire_authorization'; intent: string }
  | { kind: 'book_charge'; charge: string }
  | { kind: 'announce_funds' }
  | { kind: 'send_payout' | 'end_payout' | 'return_payout'; payout: string }
  | { kind: 'open_dispute'; charge: string }
  | { kind: 'decide_dispute' | 'miss_deadline' | 'close_inquiry'; dispute: string };
export type JobTask = BankTask | { kind: 'deliver'; event: string; attempt: number; faulted: boolean };

/** Something to do later, kept until it is done. */
export interface Job {
  seq: number;
  dueAt: number;
  account: string;
  task: JobTask;
}

/** Opens the databases of an LMDB environment; JSON, so that any LMDB tool can show them. */
export function openTables(root: RootDatabase) {
  const objects = <T>(name: string) => root.openDB<Row<T>, Key>({ encoding: 'json', name });
  return {
    /* Objects by id. */
    paymentIntents: objects<Stripe.PaymentIntent>('payment_intents'),
    setupIntents: objects<Stripe.SetupIntent>('setup_intents'),
    charges: objects<Stripe.Charge>('charges'),
    refunds: objects<Stripe.Refund>('refunds'),
    transfers: objects<Stripe.Transfer>('transfers'),
    reversals: objects<Stripe.TransferReversal>('transfer_reversals'),
    balanceTransactions: objects<Stripe.BalanceTransaction>('balance_transactions'),
    customers: objects<Stripe.Customer | Stripe.DeletedCustomer>('customers'),
    accounts: objects<Stripe.Account | Stripe.DeletedAccount>('accounts'),
    bankAccounts: objects<Stripe.BankAccount | Stripe.DeletedBankAccount>('bank_accounts'),
    onboardingLinks: objects<OnboardingLink>('onboarding_links'),
    payouts: objects<Stripe.Payout>('payouts'),
    disputes: objects<Stripe.Dispute>('disputes'),
    paymentMethods: objects<Stripe.PaymentMethod>('payment_methods'),
    events: objects<SandboxEvent>('events'),
    /** [kind, account, link or '', seq] → id: what lists walk. */
    links: root.openDB<string, Key>({ encoding: 'json', name: 'links' }),
    /** [account, currency] → balance in minor units, pending money included. */
    funds: root.openDB<number, Key>({ encoding: 'json', name: 'funds' }),
    /** [account, currency, available at, seq] → the part of that balance that is still pending. */
    fundsToCome: root.openDB<number, Key>({ encoding: 'json', name: 'funds_to_come' }),
    /** [queue, due at, seq] */
    jobs: root.openDB<Job, Key>({ encoding: 'json', name: 'jobs' }),
    /** [account, idempotency key] */
    replies: root.openDB<StoredReply, Key>({ encoding: 'json', name: 'replies' }),
    /** [stored at, seq] → key of the reply, to forget old ones by. */
    replyAges: root.openDB<[string, string], Key>({ encoding: 'json', name: 'reply_ages' }),
    counters: root.openDB<number, Key>({ encoding: 'json', name: 'counters' }),
    settings: root.openDB<Settings, Key>({ encoding: 'json', name: 'settings' }),
    endpoints: root.openDB<WebhookEndpoint, Key>({ encoding: 'json', name: 'webhook_endpoints' }),
  };
}
export type Tables = ReturnType<typeof openTables>;
