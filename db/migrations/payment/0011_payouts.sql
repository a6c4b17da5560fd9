CREATE TABLE "payouts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"payee_id" uuid NOT NULL,
	"origin" text NOT NULL,
	"status" text NOT NULL,
	"status_reason" text,
	"currency" text NOT NULL,
	"amount" bigint NOT NULL,
	"period_from" timestamp with time zone,
	"period_to" timestamp with time zone NOT NULL,
	"stripe_account" text,
	"stripe_transfer_id" text,
	"transferred_at" timestamp with time zone,
	"stripe_reversal_id" text,
	"reversed_at" timestamp with time zone,
	"stripe_payout_id" text,
	"bank_account" text,
	"expected_at" timestamp with time zone,
	"arrived_at" timestamp with time zone,
	"failure_code" text,
	"stopped_at" timestamp with time zone,
	"closed_as" text,
	"returned_at" timestamp with time zone,
	"saga_started_at" timestamp with time zone,
	"version" integer DEFAULT 1 NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "payouts_stripe_transfer" UNIQUE("stripe_transfer_id"),
	CONSTRAINT "payouts_stripe_reversal" UNIQUE("stripe_reversal_id"),
	CONSTRAINT "payouts_stripe_payout" UNIQUE("stripe_payout_id"),
	CONSTRAINT "payouts_amount" CHECK ("payouts"."amount" > 0)
);
--> statement-breakpoint
ALTER TABLE "ledger_transactions" DROP CONSTRAINT "ledger_posted_once";--> statement-breakpoint
ALTER TABLE "ledger_transactions" ALTER COLUMN "payment_id" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "ledger_transactions" ADD COLUMN "payout_id" uuid;--> statement-breakpoint
ALTER TABLE "ledger_transactions" ADD COLUMN "dispute_id" uuid;--> statement-breakpoint
ALTER TABLE "stripe_accounts" ADD COLUMN "payouts_enabled" boolean;--> statement-breakpoint
CREATE UNIQUE INDEX "payouts_one_open" ON "payouts" USING btree ("payee_id","currency") WHERE status in ('pending', 'processing');--> statement-breakpoint
CREATE INDEX "payouts_payee" ON "payouts" USING btree ("payee_id","created_at");--> statement-breakpoint
CREATE INDEX "payouts_waiting" ON "payouts" USING btree ("created_at") WHERE status = 'pending';--> statement-breakpoint
ALTER TABLE "ledger_transactions" ADD CONSTRAINT "ledger_transactions_payout_id_payouts_id_fk" FOREIGN KEY ("payout_id") REFERENCES "public"."payouts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "ledger_transactions_payout" ON "ledger_transactions" USING btree ("payout_id") WHERE payout_id is not null;--> statement-breakpoint
ALTER TABLE "ledger_transactions" ADD CONSTRAINT "ledger_posted_once" UNIQUE NULLS NOT DISTINCT("payment_id","payout_id","dispute_id","kind","reference");--> statement-breakpoint
ALTER TABLE "ledger_transactions" ADD CONSTRAINT "ledger_transaction_of_one" CHECK (num_nonnulls("ledger_transactions"."payment_id", "ledger_transactions"."payout_id", "ledger_transactions"."dispute_id") = 1);