ALTER TABLE "payments" ADD COLUMN "saga_started_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "payments" ADD COLUMN "refusal" text;--> statement-breakpoint
ALTER TABLE "refunds" ADD COLUMN "saga_started_at" timestamp with time zone;--> statement-breakpoint
CREATE INDEX "payments_unstarted" ON "payments" USING btree ("created_at") WHERE saga_started_at is null and booking_id is null and status = 'pending';--> statement-breakpoint
CREATE INDEX "refunds_unstarted" ON "refunds" USING btree ("created_at") WHERE saga_started_at is null and status = 'pending' and requested_by is not null;