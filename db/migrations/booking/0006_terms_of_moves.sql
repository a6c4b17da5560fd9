ALTER TABLE "bookings" ADD COLUMN "moved_by_tutor_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "bookings" ADD COLUMN "refund_percent" smallint;--> statement-breakpoint
ALTER TABLE "bookings" ADD CONSTRAINT "bookings_refund_percent" CHECK ("bookings"."refund_percent" between 0 and 100);