ALTER TABLE "booking_requests" ADD COLUMN "saga_started_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "booking_requests" ADD COLUMN "cancelled_by" text;--> statement-breakpoint
ALTER TABLE "booking_requests" ADD COLUMN "note_id" uuid;--> statement-breakpoint
CREATE INDEX "booking_requests_unstarted" ON "booking_requests" USING btree ("created_at") WHERE saga_started_at is null and settled_at is null;