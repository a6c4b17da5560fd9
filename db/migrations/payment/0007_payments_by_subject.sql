-- Guards before payments, as a charge takes them: one that is under way is waited for, and neither waits for the other.
LOCK TABLE "booking_guards" IN SHARE ROW EXCLUSIVE MODE;--> statement-breakpoint
CREATE TABLE "payment_guards" (
	"subject_kind" text NOT NULL,
	"subject_id" uuid NOT NULL,
	"settled_at" timestamp with time zone,
	CONSTRAINT "payment_guards_subject_kind_subject_id_pk" PRIMARY KEY("subject_kind","subject_id")
);
--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "subject_kind" text;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "subject_id" uuid;--> statement-breakpoint
CREATE INDEX "payments_direct_unstarted" ON "payments" USING btree ("created_at") WHERE saga_started_at is null and subject_kind = 'direct' and status = 'pending';--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_one_per_subject" UNIQUE("subject_kind","subject_id");