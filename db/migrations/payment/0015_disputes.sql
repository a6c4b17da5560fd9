CREATE TABLE "dispute_evidence" (
	"dispute_id" uuid NOT NULL,
	"field" text NOT NULL,
	"text" text NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "dispute_evidence_dispute_id_field_pk" PRIMARY KEY("dispute_id","field")
);
--> statement-breakpoint
CREATE TABLE "disputes" (
	"id" uuid PRIMARY KEY NOT NULL,
	"payment_id" uuid NOT NULL,
	"stripe_dispute_id" text NOT NULL,
	"status" text NOT NULL,
	"reason" text NOT NULL,
	"currency" text NOT NULL,
	"amount" bigint NOT NULL,
	"withdrawn" bigint DEFAULT 0 NOT NULL,
	"covered" bigint DEFAULT 0 NOT NULL,
	"respond_by" timestamp with time zone,
	"submitted_at" timestamp with time zone,
	"accepted_at" timestamp with time zone,
	"opened_at" timestamp with time zone NOT NULL,
	"decided_at" timestamp with time zone,
	"version" integer DEFAULT 1 NOT NULL,
	"closed_version" integer,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "disputes_stripe_dispute" UNIQUE("stripe_dispute_id"),
	CONSTRAINT "disputes_amount" CHECK ("disputes"."amount" > 0 and "disputes"."covered" >= 0)
);
--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "disputed" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "charged_back" bigint DEFAULT 0 NOT NULL;--> statement-breakpoint
ALTER TABLE "dispute_evidence" ADD CONSTRAINT "dispute_evidence_dispute_id_disputes_id_fk" FOREIGN KEY ("dispute_id") REFERENCES "public"."disputes"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
ALTER TABLE "disputes" ADD CONSTRAINT "disputes_payment_id_payments_id_fk" FOREIGN KEY ("payment_id") REFERENCES "public"."payments"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "disputes_payment" ON "disputes" USING btree ("payment_id");--> statement-breakpoint
CREATE INDEX "disputes_open" ON "disputes" USING btree ("opened_at") WHERE decided_at is null;--> statement-breakpoint
CREATE INDEX "ledger_transactions_dispute" ON "ledger_transactions" USING btree ("dispute_id") WHERE dispute_id is not null;--> statement-breakpoint
-- Of rows of before both are nothing: they need not be read.
ALTER TABLE "payments" ADD CONSTRAINT "payments_disputed" CHECK ("payments"."disputed" >= 0 and "payments"."charged_back" between 0 and "payments"."captured") NOT VALID;