CREATE TABLE "debts" (
	"id" uuid PRIMARY KEY NOT NULL,
	"payee_id" uuid NOT NULL,
	"currency" text NOT NULL,
	"status" text NOT NULL,
	"amount" bigint NOT NULL,
	"since" timestamp with time zone NOT NULL,
	"opened_at" timestamp with time zone DEFAULT now() NOT NULL,
	"closed_at" timestamp with time zone,
	"closed_as" text,
	CONSTRAINT "debts_amount" CHECK ("debts"."amount" > 0),
	CONSTRAINT "debts_open_until_closed" CHECK (("debts"."status" = 'open') = ("debts"."closed_at" is null)),
	CONSTRAINT "debts_settled_as" CHECK (("debts"."status" = 'settled') = ("debts"."closed_as" is not null))
);
--> statement-breakpoint
CREATE UNIQUE INDEX "debts_one_open" ON "debts" USING btree ("payee_id","currency") WHERE status = 'open';--> statement-breakpoint
CREATE INDEX "debts_payee" ON "debts" USING btree ("payee_id","currency","opened_at");--> statement-breakpoint
-- The ledger is large and its services go on: nothing here reads it. A column that comes with its foreign key is null everywhere, and Postgres
-- knows that.
ALTER TABLE "ledger_transactions" ADD COLUMN "debt_id" uuid CONSTRAINT "ledger_transactions_debt_id_debts_id_fk" REFERENCES "public"."debts"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "ledger_transactions" DROP CONSTRAINT "ledger_transaction_of_one";--> statement-breakpoint
-- Of rows of before the old check has been true, and none has a debt: they need not be read again.
ALTER TABLE "ledger_transactions" ADD CONSTRAINT "ledger_transaction_of_one" CHECK (num_nonnulls("ledger_transactions"."payment_id", "ledger_transactions"."payout_id", "ledger_transactions"."dispute_id", "ledger_transactions"."debt_id") = 1) NOT VALID;
