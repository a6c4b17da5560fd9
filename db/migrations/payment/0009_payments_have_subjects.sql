ALTER TABLE "payments" ALTER COLUMN "subject_kind" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "payments" ALTER COLUMN "subject_id" SET NOT NULL;--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_direct_subject" CHECK ("payments"."subject_kind" <> 'direct' or "payments"."subject_id" = "payments"."id");--> statement-breakpoint
ALTER TABLE "payments" ADD CONSTRAINT "payments_booking_is_subject" CHECK ("payments"."booking_id" is not distinct from case "payments"."subject_kind" when 'booking' then "payments"."subject_id" end);