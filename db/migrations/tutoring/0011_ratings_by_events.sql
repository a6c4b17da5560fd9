CREATE TABLE "consumer_cursors" (
	"consumer" text PRIMARY KEY NOT NULL,
	"topic" text NOT NULL,
	"cursor" text,
	"left_out" bigint DEFAULT 0 NOT NULL,
	"moved_at" timestamp with time zone DEFAULT now() NOT NULL
);
--> statement-breakpoint
CREATE TABLE "parked_events" (
	"id" bigserial PRIMARY KEY NOT NULL,
	"consumer" text NOT NULL,
	"cursor" text NOT NULL,
	"event_id" uuid NOT NULL,
	"stream_id" text NOT NULL,
	"version" integer NOT NULL,
	"type" text NOT NULL,
	"tries" integer DEFAULT 0 NOT NULL,
	"error" text,
	"next_try_at" timestamp with time zone DEFAULT now() NOT NULL,
	"dead_at" timestamp with time zone,
	"skipped_at" timestamp with time zone,
	"skip_reason" text,
	"parked_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "parked_events_once" UNIQUE("consumer","cursor"),
	CONSTRAINT "parked_events_skipped" CHECK (("parked_events"."skipped_at" is null) = ("parked_events"."skip_reason" is null))
);
--> statement-breakpoint
ALTER TABLE "tutor_ratings" ADD COLUMN "total" integer DEFAULT 0 NOT NULL;--> statement-breakpoint
CREATE INDEX "parked_events_stream" ON "parked_events" USING btree ("consumer","stream_id","id") WHERE skipped_at is null;