CREATE TABLE "events" (
	"position" bigserial PRIMARY KEY NOT NULL,
	"event_id" uuid NOT NULL,
	"stream_id" text NOT NULL,
	"version" integer NOT NULL,
	"type" text NOT NULL,
	"data" jsonb NOT NULL,
	"occurred_at" timestamp with time zone DEFAULT now() NOT NULL,
	"published_at" timestamp with time zone,
	CONSTRAINT "events_event_id_unique" UNIQUE("event_id"),
	CONSTRAINT "events_stream_version" UNIQUE("stream_id","version")
);
--> statement-breakpoint
CREATE TABLE "idempotency_keys" (
	"owner" text NOT NULL,
	"key" text NOT NULL,
	"fingerprint" text NOT NULL,
	"resource_id" uuid NOT NULL,
	"leased_until" timestamp with time zone,
	"reply_status" integer,
	"reply_body" json,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "idempotency_keys_owner_key_pk" PRIMARY KEY("owner","key")
);
--> statement-breakpoint
CREATE TABLE "notification_delivery_log" (
	"notification_id" uuid NOT NULL,
	"attempt" integer NOT NULL,
	"outcome" text NOT NULL,
	"smtp_code" integer,
	"error_code" text,
	"started_at" timestamp with time zone DEFAULT now() NOT NULL,
	"finished_at" timestamp with time zone,
	CONSTRAINT "notification_delivery_log_notification_id_attempt_pk" PRIMARY KEY("notification_id","attempt"),
	CONSTRAINT "delivery_log_outcome" CHECK ("notification_delivery_log"."outcome" in ('unknown', 'sent', 'refused', 'unavailable')),
	CONSTRAINT "delivery_log_finished" CHECK (("notification_delivery_log"."outcome" = 'unknown') = ("notification_delivery_log"."finished_at" is null))
);
--> statement-breakpoint
CREATE TABLE "notification_preferences" (
	"user_id" uuid PRIMARY KEY NOT NULL,
	"reminders_email" boolean NOT NULL,
	"reminders_in_app" boolean NOT NULL,
	"review_requests_email" boolean NOT NULL,
	"review_requests_in_app" boolean NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "notifications" (
	"id" uuid PRIMARY KEY NOT NULL,
	"business_key" text NOT NULL,
	"recipient_id" uuid NOT NULL,
	"template" text NOT NULL,
	"title" text NOT NULL,
	"message" text NOT NULL,
	"booking_id" uuid,
	"payment_id" uuid,
	"in_app" boolean NOT NULL,
	"status" text NOT NULL,
	"attempts" integer NOT NULL,
	"leased_until" timestamp with time zone,
	"sent_at" timestamp with time zone,
	"read_at" timestamp with time zone,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "notifications_business_key_unique" UNIQUE("business_key"),
	CONSTRAINT "notifications_status" CHECK ("notifications"."status" in ('pending', 'sent', 'suppressed', 'failed')),
	CONSTRAINT "notifications_sent_at" CHECK (("notifications"."status" = 'sent') = ("notifications"."sent_at" is not null)),
	CONSTRAINT "notifications_lease_while_pending" CHECK ("notifications"."leased_until" is null or "notifications"."status" = 'pending')
);
--> statement-breakpoint
ALTER TABLE "notification_delivery_log" ADD CONSTRAINT "notification_delivery_log_notification_id_notifications_id_fk" FOREIGN KEY ("notification_id") REFERENCES "public"."notifications"("id") ON DELETE no action ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "events_unpublished" ON "events" USING btree ("position") WHERE published_at is null;--> statement-breakpoint
CREATE INDEX "idempotency_keys_created" ON "idempotency_keys" USING btree ("created_at");--> statement-breakpoint
CREATE INDEX "notifications_listed" ON "notifications" USING btree ("recipient_id","id") WHERE "notifications"."in_app";--> statement-breakpoint
CREATE INDEX "notifications_unread" ON "notifications" USING btree ("recipient_id","id") WHERE "notifications"."in_app" and "notifications"."read_at" is null;