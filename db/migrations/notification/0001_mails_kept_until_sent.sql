ALTER TABLE "notifications" DROP CONSTRAINT "notifications_status";--> statement-breakpoint
ALTER TABLE "notifications" ADD COLUMN "facts" jsonb;--> statement-breakpoint
ALTER TABLE "notifications" ADD COLUMN "due_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "notifications" ADD COLUMN "useful_until" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "notifications" ADD COLUMN "replaced_by" uuid;--> statement-breakpoint
CREATE INDEX "notifications_due" ON "notifications" USING btree ("due_at") WHERE "notifications"."facts" is not null;--> statement-breakpoint
CREATE INDEX "notifications_of_booking" ON "notifications" USING btree ("booking_id","recipient_id");--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_facts_while_pending" CHECK ("notifications"."facts" is null or "notifications"."status" = 'pending');--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_due_with_facts" CHECK (("notifications"."facts" is null) = ("notifications"."due_at" is null));--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_replaced_by" CHECK ("notifications"."status" <> 'replaced' or "notifications"."replaced_by" is not null);--> statement-breakpoint
ALTER TABLE "notifications" ADD CONSTRAINT "notifications_status" CHECK ("notifications"."status" in ('pending', 'sent', 'suppressed', 'failed', 'replaced', 'expired'));